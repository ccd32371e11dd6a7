// deny CALL[:ARGUMENT(&|=)VALUE]=ERRNO[,…] -- PROGRAM…: runs a program to which the kernel seems to lack these calls.
//
// "unshare:0&0x10000000=EPERM": only where that bit is in its first argument; "prctl:0=22=EINVAL": only where it is 22. What
// it starts has no_new_privs, and one filter (Seccomp_filters in /proc/self/status) more than without.
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} answers[] = {
	{"E2BIG", E2BIG},   {"EACCES", EACCES}, {"EINVAL", EINVAL},         {"EMFILE", EMFILE}, {"ENOSPC", ENOSPC},
	{"ENOSYS", ENOSYS}, {"EPERM", EPERM},   {"EOPNOTSUPP", EOPNOTSUPP},
};

static int answer_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(answers[i].name, name) == 0)
			return answers[i].number;
	return -1;
}

// `condition` is "ARGUMENT&VALUE" or "ARGUMENT=VALUE".
static int condition_parse(const char *condition, struct scmp_arg_cmp *out)
{
	char *end;
	unsigned argument = (unsigned)strtoul(condition, &end, 10);
	char sign = *end;
	if (end == condition || (sign != '&' && sign != '='))
		return -1;
	const char *digits = end + 1;
	unsigned long value = strtoul(digits, &end, 0);
	if (end == digits || *end != '\0')
		return -1;
	*out = sign == '&' ? SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, value, value)
			   : SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, 0xffffffffu, value);
	return 0;
}

static int rule_add(scmp_filter_ctx filter, char *rule)
{
	char *answer = strrchr(rule, '=');
	if (!answer)
		return -1;
	*answer++ = '\0';
	char *condition = strchr(rule, ':');
	if (condition)
		*condition++ = '\0';
	int call = seccomp_syscall_resolve_name(rule), number = answer_parse(answer);
	struct scmp_arg_cmp compare = {0};
	if (call == __NR_SCMP_ERROR || number < 0 || (condition && condition_parse(condition, &compare) < 0))
		return -1;
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO((unsigned)number), call, condition ? 1 : 0, &compare);
}

int main(int argc, char *argv[])
{
	if (argc < 4 || strcmp(argv[2], "--") != 0) {
		fprintf(stderr, "deny: usage: deny CALL[:ARGUMENT(&|=)VALUE]=ERRNO[,…] -- PROGRAM…\n");
		return 99;
	}
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	char *rules = argv[1];
	for (char *rule = strsep(&rules, ","); rule && filter; rule = strsep(&rules, ","))
		if (rule_add(filter, rule) < 0) {
			fprintf(stderr, "deny: %s is no rule\n", rule);
			return 99;
		}
	if (!filter || seccomp_load(filter) < 0) {
		fprintf(stderr, "deny: the kernel refuses the filter\n");
		return 99;
	}
	execv(argv[3], argv + 3);
	fprintf(stderr, "deny: cannot start %s: %s\n", argv[3], strerror(errno));
	return 99;
}
