// broker/client: what the clients' files share.
#pragma once

#include "broker/protocol.h"
#include "broker/socket.h"

// A connection to the broker, which has said hello.
struct link {
	int fd;
	struct peer peer; // who listens
	struct inbox inbox;
};
struct link link_none(void);
void link_done(struct link *link);
// ERR_NOT_FOUND when none runs; else as socket_connect and peer_find.
int link_open(const struct home *home, enum hello_purpose purpose, struct link *out, struct err *err);
// The error that a MESSAGE_REFUSED carries.
int link_refused(const struct message *message, struct err *err);
