// Test vectors of src/crypto, each with its source. Bytes are lower-case hex.
#pragma once

#include <stdint.h>

// BLAKE2b with 32 bytes of output. The first two are the well-known figures for the empty string and "abc"; all of them
// are what `printf %s TEXT | b2sum -l 256` prints, and Python's hashlib.blake2b(TEXT, digest_size=32).
static const struct {
	const char *text;
	const char *digest;
} vectors_digest[] = {
	{"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
	{"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
	{"The quick brown fox jumps over the lazy dog",
	 "01718cec35cd3d796dd00020e0bfecb473ad23457d063b75eff29c0ffa2e58a9"},
};
// One million times the letter a, same sources.
#define VECTOR_DIGEST_MILLION_A "0741850f36cba4259628355d1073e24ddb9ca0e1bfac36fd39ae5dc2101e23a4"

// The key is 00 01 .. 1f: hashlib.blake2b(TEXT, digest_size=32, key=KEY).
static const struct {
	const char *text;
	const char *mac;
} vectors_mac[] = {
	{"", "4e51e7a913fc80137da52880fecca175bf81e117d5c68126dc2774033517ea0d"},
	{"abc", "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f"},
};

// libsodium documents crypto_kdf as BLAKE2b of nothing, keyed by the root, with the number (little-endian) as salt and
// the context as personalisation: hashlib.blake2b(b"", digest_size=32, key=KEY, salt=NUMBER, person=b"envseal1"), the
// same KEY.
static const struct {
	uint64_t number;
	const char *subkey;
} vectors_kdf[] = {
	{0, "603d4e3114f797173cffc497684b5e2432f34e744eac0c5e021d56197d5c05eb"},
	{1, "a975da7528504010e5d7ba77751252011f2f6a7cef41509ffb08163e0d048753"},
	{UINT64_MAX, "a619e76cb8310671bba128f5bdf8fe7cee3e99ef31878b624e9d7b68315269c3"},
};

// Argon2id with one lane and 32 bytes of output. RFC 9106 5.3 uses a secret and associated data, which crypto_pwhash
// does not take; these are from the Argon2 reference implementation's command (Debian's package argon2):
//   printf %s TEXT | argon2 SALT -id -t PASSES -k KIB -p 1 -l 32 -r
static const struct {
	const char *text;
	const char *salt;
	uint64_t passes;
	uint64_t memory_kib;
	const char *key;
} vectors_pwhash[] = {
	{"password", "somesaltsomesalt", 3, 1024, "f663220e2d954b93588ebcbcdbe308ae6b2dbb62d317b6d6feff63535b6e3a6e"},
	{"correct horse battery staple", "0123456789abcdef", 2, 65536,
	 "cdb454754c3db33d45695237b0a4316be8834f7e7221f65293fca548e4eb68ff"},
};

// draft-irtf-cfrg-xchacha-03, A.3.1. The key is 80 81 .. 9f, the nonce 40 41 .. 57; the tag stands behind the rest.
#define VECTOR_AEAD_PLAIN \
	"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
#define VECTOR_AEAD_ASSOCIATED "50515253c0c1c2c3c4c5c6c7"
static const char vector_aead_sealed[] =
	"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
	"ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
	"21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";

// Sealed box: PyNaCl, tests/data/sealed_box_ref.txt. The key pair is Alice's of RFC 7748 6.1.
static const char vector_box_secret[] =
	"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
static const char vector_box_public[] =
	"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
static const char vector_box_plain[] =
	"be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129"
	"6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde"
	"048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705";
static const char vector_box_sealed[] =
	"199c808806a62c1be56951023ad3396b0ce0ef2c5b9ca688ac96d2d06ca43f65d314400cc9bbefb23dd26f824c9cb553"
	"f81e8c894ea9a553f4d777c77b66d5a6925da3f5961c5f7147172db5597ac14210066ee3ee13e6230a9a9610e9cddbf2"
	"4094f54fbbf6694c08a436cec39ff5a373656d9584f4df9dd8c817e2e597540628d0ee21a6524a3fcf3eabdc0968390b"
	"d260a47366ead7f71cc2e774d411d96f3497c7e10291937bc16dc46a111686b85a8c86";

// Key pair from the seed 00 01 .. 1f: the secret key is the first half of the seed's SHA-512 (`sha512sum`), the public
// key its X25519 product with the base point.
#define VECTOR_SEED_SECRET "3d94eea49c580aef816935762be049559d6d1440dede12e6a125f1841fff8e6f"
#define VECTOR_SEED_PUBLIC "4701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01"
