// attempt's own pieces: one file for each kind of thing that is tried.
#pragma once

#include "attempt/attempt.h"

typedef struct attempt_result attempt_fn(const struct attempt *attempt, const struct attempt_scene *scene);

struct attempt_result result_worked(void);
struct attempt_result result_refused(int error);
struct attempt_result result_absent(const char *what);
struct attempt_result result_broken(const char *what);
// With a note that is cut to what fits.
struct attempt_result result_noted(struct attempt_result result, const char *note);
// Of a call that gives -1 and errno: the kernel not knowing it is ABSENT.
struct attempt_result result_of(long returned);
// The same of a descriptor, which is closed.
struct attempt_result result_of_fd(int fd);

// 0 where there is none, or where it is no number.
uint64_t scene_number(const struct attempt_scene *scene, enum scene_word word);
// The name of the process that "outlive" leaves behind.
#define SCENE_NAME_BYTES 16 // TASK_COMM_LEN
void scene_left_name(const struct attempt_scene *scene, char out[SCENE_NAME_BYTES]);

// Behind the name of the abstract stream socket: the datagram socket.
#define SCENE_DATAGRAM_SUFFIX "-datagram"

// process.c
attempt_fn try_proc_file, try_proc_memory, try_proc_folder, try_proc_link, try_ptrace, try_dump, try_memory_call,
	try_take_descriptor, try_compare, try_signal, try_signal_by_folder, try_stop, try_enter_namespace,
	try_child_environment, try_core, try_preload;
// files.c
attempt_fn try_read, try_write, try_make, try_make_beside, try_mode;
// terminal.c
attempt_fn try_tty, try_pts, try_parent_stream, try_push, try_uinput, try_parent_memory;
// socket.c
attempt_fn try_connect, try_abstract, try_abstract_datagram, try_tcp, try_listen, try_udp, try_dns, try_socket,
	try_routes, try_events;
// kernel.c
attempt_fn try_keyring_read, try_keyring_add, try_io_uring, try_perf, try_bpf, try_userfaultfd, try_x32, try_int80,
	try_set_id;
// namespace.c
attempt_fn try_unshare, try_clone, try_clone3, try_mount, try_mount_new, try_chroot;
// resource.c
attempt_fn try_outlive, try_fork_bomb, try_memory, try_fill, try_self_stop;
