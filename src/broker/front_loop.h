// broker/front_loop: the front's epoll loop: reads for the state (front_state.h), and does what that wants. As large as
// the bounds of front.h let it be from the beginning.
#pragma once

#include "broker/front_channel.h"

struct front {
	int epoll_fd;
	int listen_fd;
	int keeper_fd;
	uid_t uid;
	struct front_state *state;
	struct channel *channels; // by slot
	uint32_t *pending;        // slots that are to be flushed
	uint32_t pending_count;
	struct mail mail;
	bool is_listening;
	int64_t paused_until_ms;
	bool keeper_is_gone;
};

// ERR_MEMORY, ERR_SYSTEM. What it has made ends with the process.
int front_begin(struct front *front, const struct front_setup *setup, const struct front_limits *limits, struct err *err);
// Until the keeper's end closes; then who waits for the lock is told. ERR_SYSTEM.
int front_loop(struct front *front, struct err *err);
