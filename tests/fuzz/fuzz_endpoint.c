// Any text as an endpoint: refused, or a host that can stand in a line of /etc/hosts, and a port.
#include "sandbox/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

// What was understood, written again, is understood as the same.
static void require_same(const struct endpoint *endpoint)
{
	char text[ENDPOINT_HOST_BYTES + 16];
	struct endpoint again;
	bool is_v6 = endpoint->family == AF_INET6;
	snprintf(text, sizeof(text), "%s%s%s:%u", is_v6 ? "[" : "", endpoint->host, is_v6 ? "]" : "", endpoint->port);
	require(!endpoint_parse(text, &again));
	require(endpoint_is_same_host(endpoint, &again) && again.port == endpoint->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	char text[TEXT_BYTES_MAX] = {0};
	struct endpoint endpoint;
	memcpy(text, data, len < sizeof(text) ? len : sizeof(text) - 1);
	if (endpoint_parse(text, &endpoint))
		return 0;
	size_t host_len = strlen(endpoint.host);
	require(host_len > 0 && endpoint.port > 0);
	require(endpoint.family == AF_INET6 || strspn(endpoint.host, name_bytes) == host_len);
	require_same(&endpoint);
	return 0;
}
