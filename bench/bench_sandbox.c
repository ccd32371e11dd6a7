// bench_sandbox HOME DIRECTORY ROUNDS [NAME COMMAND]...: starts /bin/true plainly, in each tier, by Debian's bwrap with the same
// kind of isolation, and by each COMMAND, all in turns; one line of JSON: microseconds from before the start until
// the end is known and all is put away, median and 99th percentile. In a tier: its plan made and entered, and nothing of
// vault, rules, secrets, streams and log, as where a broker holds the folder of names; "run_TIER" makes that for itself, and
// has what relays and filters the streams too, as an `envseal run` without a broker.
#include "bench.h"
#include "exec/exec_internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 2000
#define WAYS_MAX 16
#define WORDS_MAX 48
#define TEXT_BYTES 2048

// One way of starting it: in a tier, or by a command.
struct way {
	const char *name;
	bool is_tier;
	bool is_run; // in a tier, by exec_supervise
	enum sandbox_tier tier;
	char text[TEXT_BYTES]; // the command's words, each with a NUL byte behind it
	char *argv[WORDS_MAX];
	double us[ROUNDS_MAX];
};

struct scene {
	const char *home;
	const char *directory;
	const struct program *program;
	const struct redactor *redactor;
	const struct exec_inherited *inherited;
	int names_fd;
	struct way ways[WAYS_MAX];
	size_t count;
};

static void tier_add(struct scene *scene, const char *name, enum sandbox_tier tier, bool is_run)
{
	struct way *way = &scene->ways[scene->count++];
	way->name = name;
	way->is_tier = true;
	way->is_run = is_run;
	way->tier = tier;
}

// Words are what lies between single spaces.
static void command_add(struct scene *scene, const char *name, const char *command)
{
	struct way *way = &scene->ways[scene->count++];
	way->name = name;
	snprintf(way->text, sizeof(way->text), "%s", command);
	char *word = way->text;
	for (size_t i = 0; word && i < WORDS_MAX - 1; i++) {
		way->argv[i] = word;
		word = strchr(word, ' ');
		if (word)
			*word++ = '\0';
	}
}

static void ways_fill(struct scene *scene, char *const more[])
{
	char lockdown[TEXT_BYTES];
	snprintf(lockdown, sizeof(lockdown),
		 "/usr/bin/bwrap --unshare-all --die-with-parent --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /var/tmp "
		 "--tmpfs /dev/shm --tmpfs /run --bind %s %s --chdir %s /bin/true",
		 scene->directory, scene->directory, scene->directory);
	command_add(scene, "plain", "/bin/true");
	for (enum sandbox_tier tier = SANDBOX_STANDARD; tier <= SANDBOX_LOCKDOWN; tier++)
		tier_add(scene, sandbox_tier_name(tier), tier, false);
	tier_add(scene, "run_standard", SANDBOX_STANDARD, true);
	tier_add(scene, "run_hardened", SANDBOX_HARDENED, true);
	tier_add(scene, "run_lockdown", SANDBOX_LOCKDOWN, true);
	command_add(scene, "bwrap", "/usr/bin/bwrap --version"); // what it costs to start bwrap itself
	command_add(scene, "bwrap_hardened", "/usr/bin/bwrap --unshare-user --unshare-pid --unshare-ipc --die-with-parent --dev-bind / / "
					     "--proc /proc /bin/true");
	command_add(scene, "bwrap_lockdown", lockdown);
	for (size_t i = 0; more[i] && scene->count < WAYS_MAX; i += 2)
		command_add(scene, more[i], more[i + 1]);
}

static int command_run(char *const argv[], struct err *err)
{
	pid_t child = fork();
	if (child == 0) {
		execvpe(argv[0], argv, environ);
		_exit(127);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return err_set(err, ERR_SYSTEM, "%s cannot be started", argv[0]);
	return status == 0 ? 0 : err_set(err, ERR_NO, "%s ended with wait status %d", argv[0], status);
}

// By process 1, or where the tier has none, by the program's own parent: this process.
static int launch_run(struct launch *launch, struct program_image *image, struct err *err)
{
	if (!sandbox_has_init(launch->sandbox)) {
		pid_t program;
		int status;
		int r = launch_start(launch, &program, err);
		if (r < 0)
			return r;
		program_image_done(image);
		return waitpid(program, &status, 0) == program && status == 0 ? 0 : err_set(err, ERR_NO, "/bin/true failed");
	}
	struct monitor monitor = MONITOR_INIT;
	struct monitor_event event = {0};
	const struct monitor_plan plan = {.launch = launch, .terminal_fd = -1, .user_fds = {-1, -1, -1}};
	int r = monitor_start(&monitor, &plan, err);
	program_image_done(image);
	while (r == 0 && event.kind != MONITOR_ENDED) {
		poll(&(struct pollfd){.fd = monitor.socket_fd, .events = POLLIN}, 1, -1);
		monitor_next(&monitor, &event);
	}
	monitor_done(&monitor);
	return r == 0 && event.status != 0 ? err_set(err, ERR_NO, "/bin/true failed") : r;
}

static int sandbox_run(const struct exec_plan *plan, struct err *err)
{
	_cleanup_sandbox_ struct sandbox *sandbox = NULL;
	_cleanup_(delivery_done) struct delivery delivery = DELIVERY_INIT; // of no secret
	struct program_argv argv = {.script_fd = -1};
	int r = delivery_prepare(plan, &delivery, err);
	if (r == 0)
		r = program_argv_build(plan->program, plan->argv, &argv, err);
	if (r == 0)
		r = sandbox_prepare(plan->sandbox, &sandbox, err);
	if (r < 0)
		return r;
	struct program_image image = launch_image(plan, sandbox);
	struct launch launch = {.plan = plan, .delivery = &delivery, .argv = &argv, .image = &image, .sandbox = sandbox,
				.std_fds = {-1, -1, -1}, .foreground_fd = -1, .child_fd = -1};
	r = launch_run(&launch, &image, err);
	program_argv_done(&argv);
	return r;
}

static int supervised_run(const struct exec_plan *plan, struct err *err)
{
	struct exec_outcome outcome = {0};
	int r = exec_supervise(plan, &outcome, err);
	if (r == 0 && outcome.status != 0)
		r = err_set(err, ERR_NO, "/bin/true ended with %d", outcome.status);
	exec_outcome_done(&outcome);
	return r;
}

static int tier_run(const struct scene *scene, const struct way *way, struct err *err)
{
	const struct sandbox_wish wish = {.tier = way->tier};
	const struct sandbox_place place = {.home = scene->home, .directory = scene->directory, .own = (const char *const[]){NULL}};
	_cleanup_sandbox_plan_ struct sandbox_plan sandbox = {0};
	int r = sandbox_plan_build(&wish, &place, &sandbox, err);
	if (r < 0)
		return r;
	char *argv[] = {(char[]){"true"}, NULL};
	const struct exec_plan plan = {.program = scene->program, .argv = argv, .environment = environ, .names_fd = way->is_run ? -1 : scene->names_fd,
				       .redactor = scene->redactor, .inherited = scene->inherited, .sandbox = &sandbox};
	return way->is_run ? supervised_run(&plan, err) : sandbox_run(&plan, err);
}

static int measure(struct scene *scene, size_t rounds, struct err *err)
{
	for (size_t i = 0; i < rounds; i++) {
		for (size_t j = 0; j < scene->count; j++) {
			struct way *way = &scene->ways[j];
			double start = now_us();
			int r = way->is_tier ? tier_run(scene, way, err) : command_run(way->argv, err);
			if (r < 0)
				return r;
			way->us[i] = now_us() - start;
		}
	}
	return 0;
}

static void print(struct scene *scene, size_t rounds, FILE *report)
{
	for (size_t i = 0; i < scene->count; i++) {
		double middle = median(scene->ways[i].us, rounds); // they are sorted then
		fprintf(report, "%s\"%s\": {\"p50\": %.0f, \"p99\": %.0f}", i == 0 ? "{" : ", ", scene->ways[i].name, middle,
			scene->ways[i].us[rounds * 99 / 100]);
	}
	fputs("}\n", report);
}

static int bench(char **words, struct err *err)
{
	static struct scene scene;
	struct exec_inherited inherited;
	_cleanup_program_ struct program *program = NULL;
	_cleanup_redactor_ struct redactor *redactor = NULL;
	const struct program_options options = {.path_list = "/bin", .digest_later = true};
	uint64_t rounds;
	int r = text_parse_u64(words[2], "ROUNDS", 1, ROUNDS_MAX, &rounds, err);
	if (r == 0 && chdir(words[1]) < 0)
		r = err_set(err, ERR_NOT_FOUND, "%s cannot be entered", words[1]);
	if (r == 0)
		r = exec_inherit(&inherited, err);
	if (r == 0)
		r = program_resolve("/bin/true", &options, &program, err);
	if (r == 0)
		r = redactor_new(NULL, 0, &redactor, err);
	if (r < 0)
		return r;
	if (sandbox_folder_open(&scene.names_fd) != 0)
		return err_set(err, ERR_NO_EXEC, "the kernel gives plain users no namespaces here");
	scene.home = words[0];
	scene.directory = words[1];
	scene.program = program;
	scene.redactor = redactor;
	scene.inherited = &inherited;
	ways_fill(&scene, words + 3);
	// The supervisor lets go of standard output when its program does, and so do the commands here.
	FILE *report = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "w");
	if (!report || !freopen("/dev/null", "w", stdout))
		return err_set(err, ERR_SYSTEM, "standard output cannot be kept");
	prctl(PR_SET_DUMPABLE, 0); // as envseal
	r = measure(&scene, rounds, err);
	if (r == 0)
		print(&scene, rounds, report);
	fclose(report);
	return r;
}

int main(int argc, char **argv)
{
	struct err err;
	if (argc < 4 || argc % 2 != 0) {
		fputs("usage: bench_sandbox HOME DIRECTORY ROUNDS [NAME COMMAND]...\n", stderr);
		return 2;
	}
	if (bench(argv + 1, &err) == 0)
		return 0;
	fprintf(stderr, "bench_sandbox: %s\n", err.text);
	return 1;
}
