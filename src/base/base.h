// base: what every other folder stands on: errors, views of bytes, descriptors, files, time and printable text.
//
// Invariants
//  - A function that can fail returns 0 or a negative `enum err_code`, and takes `struct err *err` last. `err` is never
//    NULL and is written only on failure. Outputs are written only on success.
//  - Nothing here logs, prints or exits, and nothing here holds a secret: secret bytes live in secmem's struct secret.
//  - `errno` does not cross a function boundary; where it matters it is in `struct err`.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// ---------------------------------------------------------------------------------------------------------- errors

// Longest sentence an error can carry, in bytes with its NUL. Longer ones are cut.
#define ERR_TEXT_BYTES 768

// What went wrong, by what the caller can do about it. The table in err.c gives each its exit status and JSON-RPC code.
enum err_code {
	ERR_NO = -1,          // the answer is no (verify: differs)
	ERR_USAGE = -2,       // the command line or an argument is wrong
	ERR_NO_VAULT = -3,    // there is no vault yet
	ERR_LOCKED = -4,      // needs a passphrase and there is no way to ask for one
	ERR_DENIED = -5,      // refused: by the human, by a rule, by a rate limit
	ERR_UNSAFE = -6,      // refused: a file's owner, mode or kind, or the environment, is not what it must be
	ERR_PASSPHRASE = -7,  // wrong passphrase or code
	ERR_DAMAGED = -8,     // stored data does not verify or does not parse
	ERR_NOT_FOUND = -9,   // no such name, file or record
	ERR_EXISTS = -10,     // there is one already
	ERR_INPUT = -11,      // what was given as data cannot be used (a dotenv line, a value, a manifest)
	ERR_LIMIT = -12,      // too large, too many, too long
	ERR_SYSTEM = -13,     // a system call failed; sys_errno says how
	ERR_MEMORY = -14,     // no memory, or no memory that can be locked
	ERR_NO_EXEC = -15,    // the program was found and cannot be executed (126)
	ERR_NO_PROGRAM = -16, // the program was not found (127)
	ERR_INTERRUPTED = -17 // the human ended the prompt (Ctrl-C, end of input)
};

struct err {
	int code;                  // an enum err_code
	int sys_errno;             // errno of the failed system call, or 0
	char text[ERR_TEXT_BYTES]; // one sentence: the thing, and the next step. Never a byte of a secret.
};

// Sets code and sentence; returns `code`, so that `return err_set(err, ERR_X, "...")` is the whole failure path.
int err_set(struct err *err, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// The same for a failed system call: keeps `sys_errno` and appends ": " and its description to the sentence.
int err_set_errno(struct err *err, enum err_code code, int sys_errno, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
// Puts "context: " before the sentence and returns the error's code unchanged.
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
// clang's analyzer sees one file at a time: it would follow paths on which a failure returns 0.
#ifdef __clang_analyzer__
#define err_set(err, code, ...) ((err_set)((err), (code), __VA_ARGS__), (int)(code))
#define err_set_errno(err, code, ...) ((err_set_errno)((err), (code), __VA_ARGS__), (int)(code))
#define err_prefix(err, ...) ((err_prefix)((err), __VA_ARGS__), (int)ERR_SYSTEM)
#endif
// Exit status of a command that ended with this code (product.md: 1 no, 2 usage, 3 no vault, 4 locked or denied,
// 5 wrong passphrase, 6 damaged); 0 for 0.
int err_exit_status(int code);
// Exit status of run, inject and pipe: 126 and 127 where the program itself is at fault, else 125.
int err_run_status(int code);
// Stable word for a code ("not-found"), for --json.
const char *err_name(int code);

// ------------------------------------------------------------------------------------------------- ownership helpers

#define _cleanup_(fn) __attribute__((cleanup(fn)))
// Hands on an owned value once: yields it and leaves the empty value behind.
#define TAKE_PTR(p) ({ __typeof__(p) take_ = (p); (p) = NULL; take_; })
#define TAKE_FD(fd) ({ int take_ = (fd); (fd) = -1; take_; })
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

// For _cleanup_: frees what a `T *` variable holds.
void free_ptr(void *ptr_to_ptr);
#define _cleanup_free_ _cleanup_(free_ptr)

// --------------------------------------------------------------------------------------------------- views of bytes

// Borrowed bytes; not NUL-terminated, may hold NULs.
struct span {
	const uint8_t *data;
	size_t len;
};

#define SPAN_LITERAL(s) ((struct span){(const uint8_t *)("" s), sizeof(s) - 1})
struct span span_of(const void *data, size_t len);
struct span span_text(const char *text); // without its NUL; NULL gives an empty span
bool span_is_equal(struct span a, struct span b); // not constant time: never for secrets
bool span_has_prefix(struct span s, struct span prefix);
// ASCII only.
static inline bool byte_is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}
static inline bool byte_is_letter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
// Of a lower-case hexadecimal digit; -1 for any other byte.
static inline int byte_hex_value(uint8_t byte)
{
	if (byte_is_digit(byte))
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

// Owned, growing, bounded, not secret. `data` always has a NUL behind `len` once anything was appended, so text can be
// used as a C string. What appends in several steps (writer_string, text_printable, fd_read_all) may leave the first of
// them behind when it fails.
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; // appending beyond this many bytes is ERR_LIMIT
};

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})
#define _cleanup_buf_ _cleanup_(buf_done)
void buf_done(struct buf *buf); // frees; the buf is empty and usable afterwards
int buf_append(struct buf *buf, struct span bytes, struct err *err);
int buf_append_text(struct buf *buf, const char *text, struct err *err);
int buf_append_byte(struct buf *buf, uint8_t byte, struct err *err);
int buf_printf(struct buf *buf, struct err *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
struct span buf_span(const struct buf *buf);
const char *buf_text(const struct buf *buf); // "" when empty

// ------------------------------------------------------------------------------------- bounded reader and writer
// The one way in which binary records are parsed and made. Integers are little-endian; a "string" is a u32 length and
// that many bytes. A reader never reads outside its span: after the first failure every call fails and yields zeros, so
// a parser reads all fields and asks once, at the end, by reader_end.

struct reader {
	struct span rest;
	bool failed;
};

struct reader reader_of(struct span bytes);
uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct span reader_string(struct reader *r, size_t max_bytes); // borrowed from the reader's span
void reader_bytes(struct reader *r, void *out, size_t len);    // exactly len bytes, zeros on failure
// true when nothing failed and nothing is left over.
bool reader_end(const struct reader *r);

int writer_u8(struct buf *buf, uint8_t value, struct err *err);
int writer_u32(struct buf *buf, uint32_t value, struct err *err);
int writer_u64(struct buf *buf, uint64_t value, struct err *err);
int writer_string(struct buf *buf, struct span bytes, struct err *err); // ERR_LIMIT above 4 GiB - 1

// ------------------------------------------------------------------------------------------------------------ lists

struct text_list {
	char **items; // owned
	size_t count;
};
bool text_list_has(const struct text_list *list, const char *text);
// A copy of the text; `add` only where the list does not have it. ERR_MEMORY.
int text_list_append(struct text_list *list, const char *text, struct err *err);
int text_list_add(struct text_list *list, const char *text, struct err *err);
void text_list_done(struct text_list *list);

// ------------------------------------------------------------------------------------------------------ descriptors
// Every descriptor is O_CLOEXEC; an empty one is -1.

void fd_close(int *fd); // closes unless -1, sets -1; keeps errno
#define _cleanup_fd_ _cleanup_(fd_close)
// All of them from first to last; where there is no close_range(2) those that /proc lists, and without that each number below
// 2^20. Async-signal-safe.
void fd_close_range(int first, int last);
void fd_mark_range(int first, int last); // makes them close-on-exec
// memfd_create(2), of a file that may be executed. -1 with errno: EACCES where sysctl vm.memfd_noexec refuses it.
int fd_executable(const char *name, unsigned flags);
// A program in a memory file that may be executed and not read, so that nobody looks into its process from the first
// instruction on (fs/exec.c, would_dump). `what` is for sentences. ERR_SYSTEM.
int fd_program(const char *name, struct span image, const char *what, int *out_fd, struct err *err);
// Writes all of it, through short writes and EINTR. Blocks. ERR_SYSTEM (EPIPE included).
int fd_write_all(int fd, struct span bytes, const char *what, struct err *err);
// Reads until end of file into `out` (its max is the limit: more is ERR_LIMIT). Blocks.
int fd_read_all(int fd, struct buf *out, const char *what, struct err *err);

// ------------------------------------------------------------------------------------------------------------ ports
// A descriptor that other processes share, read and written without ever waiting and without a change to the flags of
// its open file.

enum port_kind {
	PORT_PLAIN,  // files and devices, which do not make anybody wait; and what was opened again to be non-blocking
	PORT_SOCKET, // MSG_DONTWAIT does the same for sockets
	PORT_POLLED  // a pipe or terminal that could not be opened again
};

struct port {
	enum port_kind kind;
	int fd;       // what to poll
	int owned_fd; // fd, when it was opened again; else -1
	bool is_pipe;
	bool is_terminal;
};
#define PORT_INIT ((struct port){.fd = -1, .owned_fd = -1})

// `access` is O_RDONLY, O_WRONLY or O_RDWR. A descriptor that is not open gives a port whose reads and writes fail.
void port_open(struct port *port, int number, int access);
void port_done(struct port *port);
// As read(2) and write(2), but a negative errno on failure, and -EAGAIN where they would wait. What is written must be fit
// to be shown: a part of it may pass through ordinary memory. A write to a pipe without a reader raises SIGPIPE.
ssize_t port_read(const struct port *port, void *into, size_t len);
ssize_t port_write(const struct port *port, struct span bytes);

// --------------------------------------------------------------------------------------------------------- gathering
// Few writes of whole pages out of many pieces of any size. Each write is a system call; and a pipe keeps what it is
// given in pages of its own, into which the kernel copies nearly twice as fast where bytes lie in the writer's pages as
// they do in the pipe's. What waits is in ordinary memory: it must be fit to be shown.

#define GATHER_PAGE_BYTES 4096u

typedef int gather_write_fn(void *context, struct span bytes, struct err *err);

struct gather {
	gather_write_fn *write; // takes all; what it returns other than 0 is passed on
	void *context;
	uint8_t *block; // aligned to a page, with a page of room in front of it: a long piece that begins here is not copied
	uint8_t *room;
	size_t len;     // bytes that wait
};
// `block` may be NULL. ERR_MEMORY.
int gather_init(struct gather *gather, gather_write_fn *write, void *context, uint8_t *block, struct err *err);
void gather_done(struct gather *gather); // drops what waits
int gather_add(struct gather *gather, struct span bytes, struct err *err);
// Writes what waits but for the last part of a page: when more is at hand.
int gather_pages(struct gather *gather, struct err *err);
int gather_flush(struct gather *gather, struct err *err); // writes what waits

// ------------------------------------------------------------------------------------------------- folders and files

// Opens the folder `path` for use by *at calls, making it (and missing parents, 0700) when `make` is set. The folder
// itself must belong to the effective user and have no group or world bits: else ERR_UNSAFE, naming the command that
// mends it. ERR_NOT_FOUND when absent and not made. A symlink in the last component is ERR_UNSAFE.
int dir_open_private(const char *path, bool make, int *out_fd, struct err *err);
// Checks an open descriptor: a regular file of the effective user, one link, no group or world bits (mode & 0077).
// ERR_UNSAFE with the mending command otherwise; `path` is for the sentence.
int file_check_private(int fd, const char *path, struct err *err);
// Opens `name` in the folder, O_NOFOLLOW and without blocking on a FIFO, then file_check_private. `flags` are open(2)
// flags (O_CREAT makes it 0600; not O_TRUNC, which would act before the check). `dir_path` is for the sentence.
// ERR_NOT_FOUND when it does not exist.
int file_open_private(int dir_fd, const char *dir_path, const char *name, int flags, int *out_fd, struct err *err);
// Replaces `name` by new content: temporary file in the same folder, fsync, rename, fsync of the folder. On failure the
// old file stands and the temporary one is gone -- except where only the last fsync failed: then the new one stands.
int file_replace(int dir_fd, const char *name, struct span content, mode_t mode, struct err *err);
// Reads a regular file a human names (dotenv, value, passphrase), any owner: ERR_INPUT for a folder, device, socket;
// FIFOs and /dev/stdin are read. `out->max` is the limit.
int file_read_text(const char *path, struct buf *out, struct err *err);

// Where everything lives. ENVSEAL_HOME puts all of it under one folder; else XDG_DATA_HOME, XDG_STATE_HOME,
// XDG_RUNTIME_DIR (each must be absolute to count), else ~/.local/share and ~/.local/state of $HOME, else of getpwuid's
// folder where HOME is unset or relative -- which static glibc cannot ask, so then it is an error.
struct home {
	char *data_dir;  // holds vault.db
	char *state_dir; // holds audit.jsonl
	char *run_dir;   // holds broker.sock: $ENVSEAL_HOME/run, $XDG_RUNTIME_DIR/envseal, /run/user/UID/envseal where that folder is
			 // there and the user's own, else /tmp/envseal-UID
};
int home_init(struct home *out, struct err *err); // reads the environment; makes nothing
void home_done(struct home *home);
#define _cleanup_home_ _cleanup_(home_done)
// malloc'd; what /etc/passwd says of the user, whatever the environment says. NULL where it has no absolute folder of theirs, or
// "/" (other name services are not asked). ERR_MEMORY.
int home_of_user(uid_t user, char **out, struct err *err);
// What stands behind the last '/'; the whole where there is none. Points into `path`.
const char *path_base(const char *path);
// Is `path` that folder, or below it? Both absolute and without "." and "..".
bool path_is_below(const char *path, const char *folder);
bool path_is_folder(const char *path); // itself, and not where a symbolic link leads
// malloc'd "dir/name"; never NULL on success.
int path_join(const char *dir, const char *name, char **out, struct err *err);

// ------------------------------------------------------------------------------------------------------------- time

// Seconds since the epoch (CLOCK_REALTIME).
int64_t clock_now(void);
// Milliseconds on CLOCK_MONOTONIC.
int64_t clock_monotonic_ms(void);
// Milliseconds on CLOCK_BOOTTIME: since this boot, suspended time too.
int64_t clock_boottime_ms(void);
#define CLOCK_BOOT_ID_BYTES 16
// The kernel's random name for this boot; zeros where it cannot be read.
void clock_boot_id(uint8_t out[CLOCK_BOOT_ID_BYTES]);
#define CLOCK_TEXT_BYTES 32
// RFC 3339, UTC, whole seconds: 2026-01-31T12:00:00Z. Years 1970-9999; outside, "invalid".
void clock_format(int64_t seconds, char out[CLOCK_TEXT_BYTES]);
// RFC 3339 date (midnight UTC) or date-time with Z, or a span from now such as 90d, 12h, 4w, 30m. ERR_USAGE otherwise.
int clock_parse(const char *text, int64_t now, int64_t *out_seconds, struct err *err);
// A span alone, in seconds: 90s, 30m, 8h, 7d or 2w. ERR_USAGE otherwise.
int clock_parse_span(const char *text, int64_t *out_seconds, struct err *err);
// How long, in words, cut to what matters: "45 s", "30 min", "7 h 59 min". Returns out.
const char *clock_span_words(int64_t seconds, char out[CLOCK_TEXT_BYTES]);

// -------------------------------------------------------------------------------------------------------- processes

#define PROCESS_NAME_BYTES 64

// A process as /proc/PID/stat has it (proc(5)).
struct process {
	pid_t pid;
	pid_t parent;
	pid_t group;
	pid_t session;
	uint64_t start;                // clock ticks after boot: with the number, and within a boot, no other process has it
	bool is_dead;                  // a zombie, or about to go
	uint32_t terminal;             // the controlling one's device number, as TIOCGDEV gives it; 0: none
	pid_t foreground;              // the process group that has that terminal; -1: none
	char name[PROCESS_NAME_BYTES]; // any bytes but NUL
};
// False for what is no line of such a file; without `pid`.
bool process_parse(const char *line, struct process *out);
// The beginning of PROC/PID/FILE, with a NUL behind it; -1 when it cannot be read. `proc` is "/proc", or a prepared tree.
ssize_t process_file_read(const char *proc, pid_t pid, const char *file, char *out, size_t out_bytes);
// False when it is not there, or cannot be examined.
bool process_read(const char *proc, pid_t pid, struct process *out);
// Whether the kernel holds it closer than this process: it has more filters of system calls, or another PID or user namespace.
// No process can take that off. One that cannot be examined counts as such, unless this one cannot either.
bool process_is_confined(const char *proc, pid_t pid);
// Waits for this child's end, whatever that is. <= 0: there is none.
void process_reap(pid_t pid);

// ------------------------------------------------------------------------------------------------------------- text

// Appends `text` so that it is inert on a terminal and in a log: printable ASCII as it is, backslash as \\, everything
// else (controls, DEL, every non-ASCII byte) as \n, \t, \r or \xNN. Injective.
int text_printable(struct span text, struct buf *out, struct err *err);
// The same for a question that a human reads, of several blanks in a row all but the first escaped too: a text that is long
// enough to wrap on the terminal could draw rows that look like those of the question. `quote`, if not 0, is escaped as well.
int text_inert(const char *text, char quote, struct buf *out, struct err *err);
// As text_printable into a fixed buffer of at least 4 bytes, for error sentences: cut with "..." when it does not fit.
// Returns out.
const char *text_brief(struct span text, char *out, size_t out_bytes);
// The path as one word of a POSIX shell, in printable ASCII, for a command that a sentence names; one that begins with
// '-' gets "./" in front. Where it does not fit (out_bytes of at least 8) the word is PATH, for the human to fill in.
// Returns out.
const char *path_quote(const char *path, char *out, size_t out_bytes);
// Decimal, no sign, no spaces, within [min, max]; ERR_USAGE naming `what`.
int text_parse_u64(const char *text, const char *what, uint64_t min, uint64_t max, uint64_t *out, struct err *err);
// Of a kernel's release, "6.1.0-13-amd64": is it older than that? What is no number counts as 0.
bool release_is_before(const char *release, unsigned major, unsigned minor);
// Names of secrets: [A-Za-z0-9][A-Za-z0-9._-]{0,127} segments joined by '/', 255 bytes at most in all.
#define NAME_BYTES_MAX 255
#define NAME_SEGMENT_BYTES_MAX 128
bool name_is_valid(struct span name);
// ERR_USAGE with the rule in the sentence.
int name_check(const char *name, struct err *err);
// Environment variable names: [A-Za-z_][A-Za-z0-9_]*, 1-255 bytes.
bool variable_is_valid(struct span name);
