// What process 1 hands to the relay: one message, with a listening socket for each of its entries.
#pragma once

#include <stdint.h>

#define RELAY_LISTENERS_MAX 64 // an endpoint is listened for at two addresses at most

struct relay_listeners {
	uint32_t count;
	uint8_t endpoints[RELAY_LISTENERS_MAX]; // number of the endpoint, by the relay's arguments
};
