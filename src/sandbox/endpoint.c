#include "sandbox/endpoint.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
}

static const char *port_parse(const char *text, uint16_t *out)
{
	unsigned port = 0;
	size_t len = strlen(text);
	for (size_t i = 0; i < len && i < 6; i++) {
		if (!is_digit(text[i]))
			return "has no number for a port";
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	if (len == 0 || len > 5 || port == 0 || port > UINT16_MAX)
		return "has no port between 1 and 65535";
	*out = (uint16_t)port;
	return NULL;
}

static const char *name_check(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++) {
		if (!is_name_byte(name[i]))
			return "has a character that is in no host's name (letters, digits, '-', '_' and '.' are)";
		if (name[i] == '.' && (i == 0 || i + 1 == len || name[i + 1] == '.'))
			return "has an empty part in its host's name";
	}
	if (name[0] == '-')
		return "begins with '-'";
	// Programs read these as addresses, and in ways of their own: 127.1, 0x7f.1, 2130706433.
	const char *last = strrchr(name, '.');
	return is_digit(last ? last[1] : name[0]) ? "has neither a name nor an IPv4 address for a host" : NULL;
}

static const char *host_parse(bool is_bracketed, struct endpoint *endpoint)
{
	if (is_bracketed) {
		endpoint->family = AF_INET6;
		if (inet_pton(AF_INET6, endpoint->host, &endpoint->address.v6) != 1)
			return "has no IPv6 address in its brackets";
		if (IN6_IS_ADDR_V4MAPPED(&endpoint->address.v6))
			return "has an IPv4 address written as an IPv6 one";
		return IN6_IS_ADDR_UNSPECIFIED(&endpoint->address.v6) ? "has the address of no host" : NULL;
	}
	if (inet_pton(AF_INET, endpoint->host, &endpoint->address.v4) == 1) {
		endpoint->family = AF_INET;
		return endpoint->address.v4.s_addr == INADDR_ANY ? "has the address of no host" : NULL;
	}
	endpoint->family = AF_UNSPEC;
	return name_check(endpoint->host);
}

const char *endpoint_parse(const char *text, struct endpoint *out)
{
	struct endpoint endpoint = {0};
	bool is_bracketed = text[0] == '[';
	const char *host = text + is_bracketed;
	const char *end = is_bracketed ? strchr(host, ']') : strrchr(host, ':');
	if (!end)
		return is_bracketed ? "has no ']'" : "has no port";
	if (!is_bracketed && strchr(host, ':') != end)
		return "has more than one ':'; an IPv6 address is written in brackets";
	const char *port = is_bracketed ? end + 1 : end;
	if (*port != ':')
		return "has no port";
	if (end == host)
		return "has no host";
	if ((size_t)(end - host) >= sizeof(endpoint.host))
		return "has a host of more than 253 bytes";
	memcpy(endpoint.host, host, (size_t)(end - host));
	const char *wrong = host_parse(is_bracketed, &endpoint);
	if (!wrong)
		wrong = port_parse(port + 1, &endpoint.port);
	if (!wrong)
		*out = endpoint;
	return wrong;
}

bool endpoint_is_same_host(const struct endpoint *a, const struct endpoint *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->address.v4.s_addr == b->address.v4.s_addr;
	if (a->family == AF_INET6)
		return memcmp(&a->address.v6, &b->address.v6, sizeof(a->address.v6)) == 0;
	return strcasecmp(a->host, b->host) == 0;
}

bool endpoint_is_localhost(const struct endpoint *endpoint)
{
	return endpoint->family == AF_UNSPEC && strcasecmp(endpoint->host, "localhost") == 0;
}
