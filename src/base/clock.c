#include "base/base.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t clock_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t clock_boottime_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

void clock_boot_id(uint8_t out[CLOCK_BOOT_ID_BYTES])
{
	char text[64] = "";
	memset(out, 0, CLOCK_BOOT_ID_BYTES);
	_cleanup_fd_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));
	size_t digits = 0;
	for (ssize_t i = 0; i < len && digits < 2 * CLOCK_BOOT_ID_BYTES; i++) {
		int digit = byte_hex_value((uint8_t)text[i]);
		if (digit < 0)
			continue;
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
		digits++;
	}
}

// 9999-12-31T23:59:59Z
#define CLOCK_LAST_SECOND 253402300799

void clock_format(int64_t seconds, char out[CLOCK_TEXT_BYTES])
{
	struct tm tm;
	time_t when = seconds;
	if (seconds < 0 || seconds > CLOCK_LAST_SECOND || !gmtime_r(&when, &tm)) {
		snprintf(out, CLOCK_TEXT_BYTES, "invalid");
		return;
	}
	snprintf(out, CLOCK_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)tm.tm_year + 1900u,
		 (unsigned)tm.tm_mon + 1u, (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min,
		 (unsigned)tm.tm_sec);
}

// Reads `digits` decimal digits at *at and moves past them; -1 when they are not there.
static int clock_digits(const char **at, int digits)
{
	int value = 0;
	for (int i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		value = value * 10 + (**at - '0');
	}
	return value;
}

static bool clock_literal(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

// YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ.
static bool clock_parse_date(const char *text, int64_t *out)
{
	struct tm tm = {0};
	const char *at = text;
	int year = clock_digits(&at, 4);
	bool ok = year >= 1970 && clock_literal(&at, '-');
	int month = ok ? clock_digits(&at, 2) : -1;
	ok = ok && clock_literal(&at, '-');
	int day = ok ? clock_digits(&at, 2) : -1;
	if (!ok || month < 1 || day < 1)
		return false;
	int hour = 0, minute = 0, second = 0;
	if (*at != 0) {
		ok = clock_literal(&at, 'T') && (hour = clock_digits(&at, 2)) >= 0 && clock_literal(&at, ':') &&
		     (minute = clock_digits(&at, 2)) >= 0 && clock_literal(&at, ':') &&
		     (second = clock_digits(&at, 2)) >= 0 && clock_literal(&at, 'Z') && *at == 0;
		if (!ok || hour > 23 || minute > 59 || second > 59)
			return false;
	}
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	tm.tm_hour = hour;
	tm.tm_min = minute;
	tm.tm_sec = second;
	int64_t seconds = timegm(&tm);
	// timegm turns 31 February into 3 March; a date that moved was none.
	if (tm.tm_mon != month - 1 || tm.tm_mday != day)
		return false;
	*out = seconds;
	return true;
}

// N followed by s, m, h, d or w.
static bool span_read(const char *text, int64_t *out)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	int64_t count = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9' && at - text < 7; at++)
		count = count * 10 + (*at - '0');
	if (at == text || count == 0 || strlen(at) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(units); i++)
		if (*at == units[i].unit) {
			*out = count * units[i].seconds;
			return true;
		}
	return false;
}

static bool clock_parse_ahead(const char *text, int64_t now, int64_t *out)
{
	int64_t span = 0, when = 0;
	if (!span_read(text, &span) || __builtin_add_overflow(now, span, &when) || when > CLOCK_LAST_SECOND)
		return false;
	*out = when;
	return true;
}

int clock_parse(const char *text, int64_t now, int64_t *out_seconds, struct err *err)
{
	if (clock_parse_date(text, out_seconds) || clock_parse_ahead(text, now, out_seconds))
		return 0;
	return err_set(err, ERR_USAGE, "not a time: give a date (2027-01-31), a date and time in UTC (2027-01-31T12:00:00Z) "
				       "or a span (30m, 12h, 90d, 4w)");
}

int clock_parse_span(const char *text, int64_t *out_seconds, struct err *err)
{
	return span_read(text, out_seconds) ? 0 : err_set(err, ERR_USAGE, "not a span of time: give one such as 90s, 30m, 8h or 7d");
}

const char *clock_span_words(int64_t seconds, char out[CLOCK_TEXT_BYTES])
{
	long long s = seconds > 0 ? (long long)seconds : 0;
	if (s < 120)
		snprintf(out, CLOCK_TEXT_BYTES, "%lld s", s);
	else if (s < 3600)
		snprintf(out, CLOCK_TEXT_BYTES, "%lld min", s / 60);
	else if (s % 3600 < 60)
		snprintf(out, CLOCK_TEXT_BYTES, "%lld h", s / 3600);
	else
		snprintf(out, CLOCK_TEXT_BYTES, "%lld h %lld min", s / 3600, s % 3600 / 60);
	return out;
}
