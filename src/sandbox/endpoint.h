// "HOST:PORT" taken apart; for the sandbox and for its relay.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define ENDPOINT_HOST_BYTES 254 // with its NUL: 253 bytes are the longest name (RFC 1035, 3.1)

struct endpoint {
	char host[ENDPOINT_HOST_BYTES]; // without the brackets
	int family;                     // AF_UNSPEC for a name, AF_INET, AF_INET6
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} address; // where it is one
	uint16_t port;
};
// NULL, or what is wrong with it: "has no port".
const char *endpoint_parse(const char *text, struct endpoint *out);
// The same host, by whatever spelling.
bool endpoint_is_same_host(const struct endpoint *a, const struct endpoint *b);
bool endpoint_is_localhost(const struct endpoint *endpoint); // by that name
