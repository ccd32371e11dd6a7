// vault: the secrets, their versions and metadata, the key slots, and the state MAC that makes deletion, replacement and
// rollback of any of it show. Format: docs/format-vault.md.
//
// Invariants
//  - Names and metadata are readable while locked and are then *unverified*. Values are readable only unlocked.
//  - Every change of confirmed rows happens between vault_begin and vault_commit while unlocked, and renews hash tree,
//    generation and state MAC in the same store transaction: after a crash the old or the new state is there.
//  - What does not verify is ERR_DAMAGED and is never repaired in silence.
//  - A change that fails between its first and its last row spoils its transaction: vault_commit then refuses and rolls
//    back (ERR_SYSTEM). One that is refused before it wrote anything (ERR_EXISTS, ERR_LIMIT, ...) does not.
//  - A value deposited while locked is *unconfirmed*: it is kept apart from the confirmed rows and vault_reveal never
//    returns it.
//  - Calls out of order (a change without vault_begin, vault_begin or vault_unlock in an `each` callback) are ERR_USAGE.
//  - A vault must not be used across fork, and while it is open the process must not open and close vault.db by other
//    means (store.h). SIGXFSZ should be ignored, so that a file size limit is an error and not the end of the process.
#pragma once

#include "crypto/crypto.h"
#include "seal/seal.h"

#define VAULT_NOTE_BYTES_MAX 1024
#define VAULT_TAG_BYTES_MAX 64
#define VAULT_TAGS_MAX 32
#define VAULT_SETTING_BYTES_MAX 65536

// Where the audit log stood when the state was last renewed; the vault keeps it under its MAC and knows nothing else of
// the log. All zeros: no record yet.
struct vault_anchor {
	uint64_t count;
	uint8_t hash[DIGEST_BYTES];
	uint64_t file_offset; // a hint: where record `count` ends in the active log file
};

// Metadata of one secret. Times are seconds since the epoch, 0 where there is none.
struct vault_entry {
	char name[NAME_BYTES_MAX + 1];
	uint8_t id[16];
	uint32_t version;       // current confirmed version, from 1; 0 when only an unconfirmed value exists
	uint32_t version_count; // confirmed versions kept
	int64_t created;
	int64_t changed;
	int64_t expires;
	uint64_t value_bytes; // exact size: for the size bucket, never printed as it is
	bool is_weak;
	bool is_pending;        // an unconfirmed value waits
	int64_t pending_since;
	char note[VAULT_NOTE_BYTES_MAX + 1];
	char tags[VAULT_TAGS_MAX][VAULT_TAG_BYTES_MAX + 1];
	size_t tag_count;
};

// What a caller may set beside the value. NULL or negative members leave what is there (new entries: none).
struct vault_meta {
	const char *note;      // "" clears
	const char **tags;     // NULL leaves; replaces all otherwise
	size_t tag_count;
	int64_t expires;       // -1 leaves, 0 clears
};
#define VAULT_META_UNCHANGED ((struct vault_meta){.expires = -1})

struct vault_version {
	uint32_t version;
	int64_t stored;
	uint64_t value_bytes;
	bool is_current;
};

struct vault;

// --- life cycle. `dir` is the data folder (base: struct home). File checks: base's file_open_private for vault.db and
// its -wal and -shm.

bool vault_exists(const char *dir);
// Makes the folder and the vault, with one passphrase slot, unlocked. ERR_EXISTS when there is one. On failure nothing
// is left behind.
int vault_create(const char *dir, const struct secret *passphrase, enum pwhash_preset preset, struct vault **out,
		 struct err *err);
// Opens it locked. ERR_NO_VAULT, ERR_UNSAFE, ERR_DAMAGED.
int vault_open(const char *dir, struct vault **out, struct err *err);
// Derives the root key from a slot (about 0.5 s), checks the stored public key against it and the state MAC.
// ERR_PASSPHRASE when no slot opens; ERR_DAMAGED when one does and the rest does not verify.
int vault_unlock(struct vault *vault, const struct secret *passphrase, struct err *err);
// The same, and hands out the root key for keeping (crypto: struct shielded).
int vault_unlock_keeping(struct vault *vault, const struct secret *passphrase, struct secret **out_root, struct err *err);
// With a root key that was kept. ERR_DAMAGED when it is not this vault's.
int vault_unlock_with_root_key(struct vault *vault, const struct secret *root, struct err *err);
bool vault_is_unlocked(const struct vault *vault);
// Wipes the keys that open values and vouch, and keeps the one that renews the state: for a supervisor that has opened
// what it needs. It still counts as unlocked, can store and change metadata; vault_reveal, vault_voucher and what has
// to open a value (rename, copy, rollback_to, confirm) are ERR_LOCKED from then on.
void vault_narrow(struct vault *vault);
// A MAC that only those can make who have the vault open: for what one of them says to another through somebody else.
// ERR_LOCKED.
int vault_voucher(struct vault *vault, struct span message, uint8_t out[DIGEST_BYTES], struct err *err);
struct vault *vault_close(struct vault *vault); // wipes keys, rolls back an open transaction; NULL allowed; returns NULL
void vault_close_ptr(struct vault **vault);
#define _cleanup_vault_ _cleanup_(vault_close_ptr)

// --- transactions. One writer at a time, among processes too: begin waits up to 60 s for the other (ERR_SYSTEM then).

// Takes the write lock and, when unlocked, verifies the state MAC again: another process may have written meanwhile.
int vault_begin(struct vault *vault, struct err *err);
// Renews the state with this audit anchor when unlocked (while locked the anchor stays: pass NULL) and makes everything
// since vault_begin durable. An anchor that goes on, and nothing else, does not wait for the disk: all processes see it
// at once, and behind a power cut the state may be an older one, by such anchors alone.
int vault_commit(struct vault *vault, const struct vault_anchor *anchor, struct err *err);
// The same for an anchor that moves for records that are no changes: the generation stays. ERR_USAGE behind a change.
int vault_commit_anchor(struct vault *vault, const struct vault_anchor *anchor, struct err *err);
void vault_rollback(struct vault *vault); // harmless when no transaction is open
// The anchor as last stored; verified when unlocked.
int vault_anchor_get(struct vault *vault, struct vault_anchor *out, struct err *err);
uint64_t vault_generation(const struct vault *vault); // as last read or written
bool vault_is_changed(const struct vault *vault);      // in this transaction, but for the anchor

// --- wrong passphrases since the state was last renewed. The caller counts them, and takes the row away with the change
// that tells of them: kept outside the tree and written while locked, it is *unverified* whatever it says.

struct vault_failures {
	uint32_t count; // 0: none
	int64_t first;  // times of the first and the last one
	int64_t last;
	uint8_t boot_id[CLOCK_BOOT_ID_BYTES]; // when the last one was, on the clock of that boot
	int64_t boottime_ms;
};
int vault_failures_get(struct vault *vault, struct vault_failures *out, struct err *err); // ERR_DAMAGED: does not parse
// Inside a transaction; works locked.
int vault_failures_put(struct vault *vault, const struct vault_failures *failures, struct err *err);

// --- reading (each verifies the rows it uses when unlocked, and takes O(log n))

int vault_find(struct vault *vault, const char *name, struct vault_entry *out, struct err *err); // ERR_NOT_FOUND
// Calls `each` in order of name (bytewise); a non-zero return stops and is returned. `entry` is valid during the call
// only. O(n), also when unlocked: each entry is verified before its call, but that one was deleted can show only at the
// end (ERR_DAMAGED).
int vault_list(struct vault *vault, int (*each)(void *context, const struct vault_entry *entry), void *context,
	       struct err *err);
// Oldest version first; none for a name that has only an unconfirmed value.
int vault_history(struct vault *vault, const char *name,
		  int (*each)(void *context, const struct vault_version *version), void *context, struct err *err);
// Decrypts a confirmed version (0: the current one). ERR_NOT_FOUND, ERR_LOCKED, ERR_DAMAGED; ERR_DENIED when only an
// unconfirmed value exists.
int vault_reveal(struct vault *vault, const char *name, uint32_t version, struct secret **out, struct err *err);
// Verifies every row, node and ciphertext tag. O(n). ERR_DAMAGED names the first thing that does not verify.
int vault_check(struct vault *vault, uint64_t *ret_rows, struct err *err);

// --- changing (inside a transaction, unlocked unless said otherwise)

// Stores a new secret (ERR_EXISTS unless `replace`) or a new version of it. ERR_LIMIT: 1 byte to SECRET_VALUE_BYTES_MAX.
int vault_put(struct vault *vault, const char *name, struct span value, const struct vault_meta *meta, bool is_weak,
	      bool replace, struct err *err);
// Works locked: leaves an unconfirmed value for the vault's stored public key. ERR_EXISTS when the name exists or already
// has one waiting, unless `replace`.
int vault_deposit(struct vault *vault, const char *name, struct span value, const struct vault_meta *meta, bool is_weak,
		  bool replace, struct err *err);
// The deposit becomes the current version. ERR_NOT_FOUND; ERR_DAMAGED when it does not open: discard it then.
int vault_confirm(struct vault *vault, const char *name, struct err *err);
int vault_discard(struct vault *vault, const char *name, struct err *err); // works locked
// Of the deposit as it lies in the file, whatever is in it: whether it is still the one that was seen. ERR_NOT_FOUND.
int vault_deposit_digest(struct vault *vault, const char *name, uint8_t out[DIGEST_BYTES], struct err *err);
int vault_set_meta(struct vault *vault, const char *name, const struct vault_meta *meta, struct err *err);
// Versions move too. ERR_EXISTS; ERR_DENIED while an unconfirmed value waits for `from`.
int vault_rename(struct vault *vault, const char *from, const char *to, struct err *err);
int vault_copy(struct vault *vault, const char *from, const char *to, struct err *err);   // current version, metadata
int vault_remove(struct vault *vault, const char *name, struct err *err); // with all versions and a waiting deposit
// Makes `version` the current one, as a new version; history is never rewritten. ERR_NOT_FOUND; ERR_EXISTS when it is
// the current one.
int vault_rollback_to(struct vault *vault, const char *name, uint32_t version, struct err *err);

// Small sealed settings under the state MAC, by keys that follow the rule for names. `out` stays empty when there is
// none; storing an empty value takes the setting away.
int vault_setting_get(struct vault *vault, const char *key, struct buf *out, struct err *err);
// The same for one that holds a key: never in ordinary memory. `out` stays NULL when there is none.
int vault_setting_reveal(struct vault *vault, const char *key, struct secret **out, struct err *err);
int vault_setting_put(struct vault *vault, const char *key, struct span value, struct err *err);
