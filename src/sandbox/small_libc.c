// What trees_program.c needs of the C library, and no more. The program is written into memory and loaded at every start in
// lockdown: with the C library it is 170 pages, and that asks the processor for its caches, which in a virtual machine
// costs as much as all the rest.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[]);
_Noreturn void program_begin(long *stack);

#if defined(__x86_64__)
__asm__(".global _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call program_begin\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	long result;
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".global _start\n_start: mov x29, #0\n mov x30, #0\n mov x0, sp\n b program_begin\n");

static long call(long number, long a, long b, long c, long d, long e)
{
	register long which __asm__("x8") = number;
	register long first __asm__("x0") = a;
	register long second __asm__("x1") = b;
	register long third __asm__("x2") = c;
	register long fourth __asm__("x3") = d;
	register long fifth __asm__("x4") = e;
	__asm__ volatile("svc #0"
			 : "+r"(first)
			 : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
			 : "memory");
	return first;
}
#endif

static int last_error;

int *__errno_location(void)
{
	return &last_error;
}

static long answer(long result)
{
	if (result >= 0)
		return result;
	last_error = (int)-result;
	return -1;
}

#define P(pointer) ((long)(intptr_t)(pointer))
#define CALL(number, a, b, c, d, e) answer(call(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e)))

void program_begin(long *stack)
{
	_exit(main((int)stack[0], (char **)(stack + 1)));
}

// ------------------------------------------------------------------------------------------------------- system calls

int open(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return (int)CALL(openat, AT_FDCWD, P(path), flags, mode, 0);
}

int close(int fd)
{
	return (int)CALL(close, fd, 0, 0, 0, 0);
}

ssize_t read(int fd, void *into, size_t bytes)
{
	return CALL(read, fd, P(into), bytes, 0, 0);
}

ssize_t write(int fd, const void *from, size_t bytes)
{
	return CALL(write, fd, P(from), bytes, 0, 0);
}

int lstat(const char *path, struct stat *out)
{
	return (int)CALL(newfstatat, AT_FDCWD, P(path), P(out), AT_SYMLINK_NOFOLLOW, 0);
}

int mkdir(const char *path, mode_t mode)
{
	return (int)CALL(mkdirat, AT_FDCWD, P(path), mode, 0, 0);
}

int symlink(const char *target, const char *path)
{
	return (int)CALL(symlinkat, P(target), AT_FDCWD, P(path), 0, 0);
}

ssize_t readlink(const char *path, char *into, size_t bytes)
{
	return CALL(readlinkat, AT_FDCWD, P(path), P(into), bytes, 0);
}

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
	return (int)CALL(mount, P(source), P(target), P(type), flags, P(data));
}

int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attributes, size_t bytes)
{
	return (int)CALL(mount_setattr, fd, P(path), flags, P(attributes), bytes);
}

int move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return (int)CALL(move_mount, from_fd, P(from), to_fd, P(to), flags);
}

int open_tree(int fd, const char *path, unsigned flags)
{
	return (int)CALL(open_tree, fd, P(path), flags, 0, 0);
}

int prctl(int option, ...)
{
	va_list rest;
	va_start(rest, option);
	unsigned long a = va_arg(rest, unsigned long);
	va_end(rest);
	return (int)CALL(prctl, option, a, 0, 0, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	return CALL(sendmsg, fd, P(message), flags, 0, 0);
}

int sysinfo(struct sysinfo *out)
{
	return (int)CALL(sysinfo, P(out), 0, 0, 0, 0);
}

mode_t umask(mode_t mask)
{
	return (mode_t)CALL(umask, mask, 0, 0, 0, 0);
}

pid_t fork(void)
{
	return (pid_t)CALL(clone, SIGCHLD, 0, 0, 0, 0);
}

pid_t waitpid(pid_t child, int *status, int flags)
{
	return (pid_t)CALL(wait4, child, P(status), flags, 0, 0);
}

void _exit(int status)
{
	call(SYS_exit_group, status, 0, 0, 0, 0);
	__builtin_unreachable();
}

int unshare(int flags)
{
	return (int)CALL(unshare, flags, 0, 0, 0, 0);
}

uid_t geteuid(void)
{
	return (uid_t)CALL(geteuid, 0, 0, 0, 0, 0);
}

gid_t getegid(void)
{
	return (gid_t)CALL(getegid, 0, 0, 0, 0, 0);
}

// --------------------------------------------------------------------------------------------------------------- text

void *memcpy(void *restrict into, const void *restrict from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((char *)into)[i] = ((const char *)from)[i];
	return into;
}

void *memset(void *into, int byte, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		((char *)into)[i] = (char)byte;
	return into;
}

size_t strlen(const char *text)
{
	size_t len = 0;
	while (text[len])
		len++;
	return len;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *text, int byte)
{
	for (; *text != (char)byte; text++)
		if (!*text)
			return NULL;
	// NOLINTNEXTLINE(performance-no-int-to-ptr): the standard has it so
	return (char *)(uintptr_t)text;
}

struct text {
	char *into;
	size_t len;
	size_t bytes;
};

static void byte_add(struct text *text, char byte)
{
	if (text->len + 1 < text->bytes)
		text->into[text->len] = byte;
	text->len++;
}

static void number_add(struct text *text, unsigned long long number, unsigned base)
{
	if (number >= base)
		number_add(text, number / base, base);
	byte_add(text, (char)('0' + number % base));
}

static void part_add(struct text *text, int len, const char *part)
{
	for (int i = 0; i < len && part[i]; i++)
		byte_add(text, part[i]);
}

// %u, %d of what is not negative, %o, %llu and %.*s.
int snprintf(char *into, size_t bytes, const char *format, ...)
{
	struct text text = {into, 0, bytes};
	va_list rest;
	va_start(rest, format);
	for (; *format; format++) {
		if (*format != '%') {
			byte_add(&text, *format);
			continue;
		}
		format++;
		if (*format == '.') {
			int len = va_arg(rest, int);
			part_add(&text, len, va_arg(rest, const char *));
			format += 2;
		} else if (*format == 'l') {
			number_add(&text, va_arg(rest, unsigned long long), 10);
			format += 2;
		} else {
			number_add(&text, va_arg(rest, unsigned), *format == 'o' ? 8 : 10);
		}
	}
	va_end(rest);
	if (bytes > 0)
		into[text.len < bytes ? text.len : bytes - 1] = '\0';
	return (int)text.len;
}
