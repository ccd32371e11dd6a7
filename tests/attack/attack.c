// What the tests start in each tier, and beside it: the attempts of src/attempt, by their names.
//
//   attack list                       every attempt: id, group, what it is
//   attack stage FOLDER [FILE=PATH]…  puts up a scene, prints its words, holds it until standard input ends
//   attack try WHICH… [WORD=TEXT]…    WHICH: a group, or an id; prints id, outcome, errno, signal and note
//   attack left WORD=TEXT…            whether "outlive" left a process behind
//   attack hold VARIABLE              a program with a secret: prints where it is in memory, and waits
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attempt/attempt.h"

static int list(void)
{
	for (size_t i = 0; i < attempt_count(); i++)
		printf("%s\t%s\t%s\n", attempt_table[i].id, attempt_group_name(attempt_table[i].group),
		       attempt_table[i].what);
	return 0;
}

static bool scene_read(char **words, struct attempt_scene *scene)
{
	for (; *words != NULL; words++) {
		if (strchr(*words, '=') != NULL && !scene_word_take(scene, *words)) {
			fprintf(stderr, "attack: no such word: %s\n", *words);
			return false;
		}
	}
	return true;
}

// -------------------------------------------------------------------------------------------------------------- try

static bool is_chosen(const struct attempt *attempt, char **words)
{
	for (; *words != NULL; words++) {
		if (strcmp(*words, attempt->id) == 0)
			return true;
		if (attempt->group != ATTEMPT_ALONE && strcmp(*words, attempt_group_name(attempt->group)) == 0)
			return true;
	}
	return false;
}

static int try(char **words)
{
	struct attempt_scene scene = {0};
	if (!scene_read(words, &scene))
		return 2;
	for (size_t i = 0; i < attempt_count(); i++) {
		const struct attempt *attempt = &attempt_table[i];
		if (!is_chosen(attempt, words))
			continue;
		struct attempt_result result = attempt_run(attempt, &scene);
		printf("%s\t%s\t%s\t%d\t%s\n", attempt->id, attempt_outcome_name(result.outcome),
		       result.error != 0 ? strerrorname_np(result.error) : "-", result.signal, result.note);
		fflush(stdout);
	}
	return 0;
}

static int left(char **words)
{
	struct attempt_scene scene = {0};
	if (!scene_read(words, &scene))
		return 2;
	printf("%d\n", (int)attempt_left(&scene));
	return 0;
}

// ------------------------------------------------------------------------------------------------------------ stage

// Sockets in places that the stage knows nothing of; they stay open.
static bool socket_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 64) == 0;
}

static bool sockets_open(const struct attempt_scene *scene)
{
	const enum scene_word words[] = {SCENE_OWN_SOCKET, SCENE_BUS, SCENE_HOME_SOCKET};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (scene->words[words[i]] != NULL && !socket_open(scene->words[words[i]]))
			return false;
	return true;
}

static int stage(char **words)
{
	struct err err = {0};
	_cleanup_scene_stage_ struct scene_stage *stage = NULL;
	if (scene_stage_open(words[0], &stage, &err) < 0) {
		fprintf(stderr, "attack: %s\n", err.text);
		return 1;
	}
	struct attempt_scene *scene = scene_stage_scene(stage);
	if (!scene_read(words + 1, scene) || !sockets_open(scene)) {
		fprintf(stderr, "attack: the scene cannot be put up: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = SCENE_NONE + 1; i < SCENE_WORD_COUNT; i++)
		if (scene->words[i] != NULL)
			printf("%s=%s\n", scene_word_name(i), scene->words[i]);
	printf("\n");
	fflush(stdout);
	while (getchar() != EOF) {
	}
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- hold

static int hold(const char *variable)
{
	const char *secret = getenv(variable);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sleep", "sleep", "86400", (char *)NULL);
		_exit(127);
	}
	if (secret == NULL || child < 0)
		return 1;
	printf("%llu\n", (unsigned long long)(uintptr_t)secret);
	fflush(stdout);
	while (getchar() != EOF) {
	}
	kill(child, SIGKILL);
	return 0;
}

static int answer(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc >= 3 && strcmp(argv[1], "try") == 0)
		return try(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "left") == 0)
		return left(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "stage") == 0)
		return stage(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2]);
	fprintf(stderr, "attack: list, stage, try, left or hold\n");
	return 2;
}

int main(int argc, char **argv)
{
	int status = answer(argc, argv);
	fflush(stdout);
	// Not by exit: LeakSanitizer would trace this process, which the tiers refuse.
	_exit(status);
}
