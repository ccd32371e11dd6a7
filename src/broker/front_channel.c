#include "broker/front_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BYTES_MAX (128u * 1024)

void channel_init(struct channel *channel, int fd)
{
	*channel = (struct channel){.fd = fd, .bytes = BUF_INIT(BYTES_MAX)};
	inbox_init(&channel->inbox);
}

void channel_done(struct channel *channel)
{
	fd_close(&channel->fd);
	inbox_done(&channel->inbox);
	free(channel->items);
	buf_done(&channel->bytes);
	channel_init(channel, -1);
}

static bool items_grow(struct channel *channel)
{
	size_t cap = channel->item_cap > 0 ? 2 * channel->item_cap : 4;
	struct front_item *items = reallocarray(channel->items, cap, sizeof(*items));
	if (!items)
		return false;
	channel->items = items;
	channel->item_cap = cap;
	return true;
}

void channel_push(struct channel *channel, const struct front_item *item)
{
	channel->is_pending = true;
	if (channel->item_count == CHANNEL_ITEMS_MAX || (channel->item_count == channel->item_cap && !items_grow(channel))) {
		channel->is_broken = true;
		return;
	}
	channel->items[channel->item_count++] = *item;
}

// False when it cannot be sent.
static bool item_begin(struct channel *channel, const struct front_state *state, int64_t now_ms)
{
	struct err err;
	struct front_item item = channel->items[0];
	channel->item_count--;
	memmove(channel->items, channel->items + 1, channel->item_count * sizeof(*channel->items));
	buf_done(&channel->bytes);
	channel->bytes_sent = 0;
	return front_item_pack(&item, state, now_ms, &channel->bytes, &err) == 0;
}

static enum channel_room bytes_send(struct channel *channel)
{
	while (channel->bytes_sent < channel->bytes.len) {
		ssize_t n = send(channel->fd, channel->bytes.data + channel->bytes_sent, channel->bytes.len - channel->bytes_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return CHANNEL_FULL;
		if (n < 0 && errno != EINTR)
			return CHANNEL_BROKEN;
		channel->bytes_sent += n > 0 ? (size_t)n : 0;
	}
	buf_done(&channel->bytes);
	channel->bytes_sent = 0;
	return CHANNEL_SENT;
}

enum channel_room channel_flush(struct channel *channel, const struct front_state *state, int64_t now_ms)
{
	if (channel->is_broken)
		return CHANNEL_BROKEN;
	enum channel_room room = bytes_send(channel);
	while (room == CHANNEL_SENT && channel->item_count > 0)
		room = item_begin(channel, state, now_ms) ? bytes_send(channel) : CHANNEL_BROKEN;
	return room;
}

// ---------------------------------------------------------------------------------------------------------- to the keeper

int mail_init(struct mail *mail, int fd, size_t cap, struct err *err)
{
	struct letter *letters = calloc(cap, sizeof(*letters));
	if (!letters)
		return err_set(err, ERR_MEMORY, "no memory for the broker's requests");
	*mail = (struct mail){.fd = fd, .letters = letters, .cap = cap};
	return 0;
}

static void letter_drop(struct mail *mail)
{
	struct letter *letter = &mail->letters[mail->first];
	fd_close(&letter->fds[0]);
	fd_close(&letter->fds[1]);
	mail->first = (mail->first + 1) % mail->cap;
	mail->count--;
}

void mail_done(struct mail *mail)
{
	while (mail->count > 0)
		letter_drop(mail);
	free(mail->letters);
	*mail = (struct mail){.fd = -1};
}

bool mail_push(struct mail *mail, const struct letter *letter)
{
	size_t room = mail->cap - mail->count;
	if (room == 0 || (room == 1 && letter->kind != MESSAGE_LOCK))
		return false;
	mail->letters[(mail->first + mail->count) % mail->cap] = *letter;
	mail->count++;
	return true;
}

// Each is so small that the kernel takes it whole or not at all.
static int letter_send(const struct mail *mail, const struct letter *letter, struct err *err)
{
	size_t fd_count = letter->kind == MESSAGE_WORKER ? ARRAY_COUNT(letter->fds) : 0;
	return message_send(mail->fd, letter->kind, span_of("", 0), letter->fds, fd_count, 0, err);
}

enum channel_room mail_flush(struct mail *mail)
{
	struct err err = {0};
	while (mail->count > 0) {
		int r = letter_send(mail, &mail->letters[mail->first], &err);
		if (r < 0 && err.sys_errno == ETIMEDOUT)
			return CHANNEL_FULL;
		if (r < 0 && (err.sys_errno == EPIPE || err.sys_errno == ECONNRESET))
			return CHANNEL_BROKEN;
		// Whatever else is wrong with it (a user has only so many descriptors under way) is that one worker's:
		// its desk ends.
		letter_drop(mail);
	}
	return CHANNEL_SENT;
}
