// The little of an ELF file that says whether it must be executed from its own place. ELF (System V gABI, "Object Files",
// "Dynamic Linking"). The file may be hostile: every number in it is checked before it is used, and what is malformed is
// taken for not being there, since the kernel and the loader will refuse it in their own words.
#include "program/program_internal.h"

#include <elf.h>
#include <endian.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 64            // program headers; linkers make about a dozen
#define DYNAMIC_BYTES_MAX 16384   // about a thousand entries
#define STRING_BYTES_MAX 4096     // PATH_MAX: of one search path

// One program header, of either class.
struct segment {
	uint32_t type;
	uint64_t offset;
	uint64_t address;
	uint64_t bytes; // in the file
};

struct elf_file {
	int fd;
	bool is_64;
	size_t count;
	struct segment segments[HEADERS_MAX];
};

static bool read_exactly(int fd, uint64_t offset, void *out, size_t len)
{
	return offset <= INT64_MAX && pread(fd, out, len, (off_t)offset) == (ssize_t)len;
}

static bool segment_read(const struct elf_file *elf, uint64_t offset, struct segment *out)
{
	Elf64_Phdr wide;
	Elf32_Phdr narrow;
	if (elf->is_64) {
		if (!read_exactly(elf->fd, offset, &wide, sizeof(wide)))
			return false;
		*out = (struct segment){wide.p_type, wide.p_offset, wide.p_vaddr, wide.p_filesz};
		return true;
	}
	if (!read_exactly(elf->fd, offset, &narrow, sizeof(narrow)))
		return false;
	*out = (struct segment){narrow.p_type, narrow.p_offset, narrow.p_vaddr, narrow.p_filesz};
	return true;
}

static bool segments_read(struct elf_file *elf, uint64_t offset, size_t entry_bytes, size_t count)
{
	size_t expected = elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (entry_bytes != expected || count > HEADERS_MAX)
		return false;
	for (size_t i = 0; i < count; i++, elf->count++)
		if (offset > UINT64_MAX - i * expected || !segment_read(elf, offset + i * expected, &elf->segments[i]))
			return false;
	return true;
}

// False for what is no ELF file of this machine's byte order.
static bool elf_open(int fd, struct elf_file *out)
{
	unsigned char ident[EI_NIDENT];
	Elf64_Ehdr wide;
	Elf32_Ehdr narrow;
	*out = (struct elf_file){.fd = fd};
	if (!read_exactly(fd, 0, ident, sizeof(ident)) || memcmp(ident, ELFMAG, SELFMAG) != 0 ||
	    ident[EI_DATA] != (BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB))
		return false;
	out->is_64 = ident[EI_CLASS] == ELFCLASS64;
	if (out->is_64)
		return read_exactly(fd, 0, &wide, sizeof(wide)) &&
		       segments_read(out, wide.e_phoff, wide.e_phentsize, wide.e_phnum);
	return ident[EI_CLASS] == ELFCLASS32 && read_exactly(fd, 0, &narrow, sizeof(narrow)) &&
	       segments_read(out, narrow.e_phoff, narrow.e_phentsize, narrow.e_phnum);
}

static const struct segment *segment_find(const struct elf_file *elf, uint32_t type)
{
	for (size_t i = 0; i < elf->count; i++)
		if (elf->segments[i].type == type)
			return &elf->segments[i];
	return NULL;
}

// Where in the file the bytes at an address come from, and how many follow them there. False: nowhere.
static bool address_locate(const struct elf_file *elf, uint64_t address, uint64_t *ret_offset, uint64_t *ret_left)
{
	for (size_t i = 0; i < elf->count; i++) {
		const struct segment *at = &elf->segments[i];
		if (at->type != PT_LOAD || address < at->address || address - at->address >= at->bytes)
			continue;
		uint64_t inside = address - at->address;
		if (at->offset > UINT64_MAX - inside)
			return false;
		*ret_offset = at->offset + inside;
		*ret_left = at->bytes - inside;
		return true;
	}
	return false;
}

struct entry {
	uint64_t tag;
	uint64_t value;
};

// False behind the last.
static bool entry_get(const struct elf_file *elf, struct span table, size_t index, struct entry *out)
{
	Elf64_Dyn wide;
	Elf32_Dyn narrow;
	size_t bytes = elf->is_64 ? sizeof(wide) : sizeof(narrow);
	if (index >= table.len / bytes)
		return false;
	memcpy(elf->is_64 ? (void *)&wide : (void *)&narrow, table.data + index * bytes, bytes);
	*out = elf->is_64 ? (struct entry){(uint64_t)wide.d_tag, wide.d_un.d_val}
			  : (struct entry){(uint64_t)(int64_t)narrow.d_tag, narrow.d_un.d_val};
	return out->tag != DT_NULL;
}

// The tags whose strings the loader expands $ORIGIN in (ld.so(8), "Dynamic string tokens").
static bool is_expanded(uint64_t tag)
{
	static const uint64_t tags[] = {DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_AUXILIARY, DT_FILTER, DT_AUDIT, DT_DEPAUDIT};
	for (size_t i = 0; i < ARRAY_COUNT(tags); i++)
		if (tags[i] == tag)
			return true;
	return false;
}

static bool string_has_origin(const struct elf_file *elf, uint64_t offset, uint64_t left)
{
	char text[STRING_BYTES_MAX + 1];
	size_t room = left < STRING_BYTES_MAX ? (size_t)left : STRING_BYTES_MAX;
	ssize_t len = offset <= INT64_MAX ? pread(elf->fd, text, room, (off_t)offset) : -1;
	text[len > 0 ? len : 0] = 0;
	return strstr(text, "$ORIGIN") || strstr(text, "${ORIGIN}");
}

static bool table_has_origin(const struct elf_file *elf, struct span table)
{
	struct entry entry;
	uint64_t strings = 0, left = 0;
	bool has_strings = false;
	for (size_t i = 0; entry_get(elf, table, i, &entry); i++)
		if (entry.tag == DT_STRTAB)
			has_strings = address_locate(elf, entry.value, &strings, &left);
	for (size_t i = 0; has_strings && entry_get(elf, table, i, &entry); i++)
		if (is_expanded(entry.tag) && entry.value < left && strings <= UINT64_MAX - entry.value &&
		    string_has_origin(elf, strings + entry.value, left - entry.value))
			return true;
	return false;
}

struct elf_traits elf_look(int fd)
{
	struct elf_file elf;
	struct elf_traits traits = {0};
	if (!elf_open(fd, &elf))
		return traits;
	traits.is_dynamic = segment_find(&elf, PT_INTERP) != NULL;
	const struct segment *dynamic = segment_find(&elf, PT_DYNAMIC);
	_Alignas(Elf64_Dyn) uint8_t table[DYNAMIC_BYTES_MAX];
	if (!dynamic || dynamic->offset > INT64_MAX)
		return traits;
	size_t room = dynamic->bytes < sizeof(table) ? (size_t)dynamic->bytes : sizeof(table);
	ssize_t len = pread(fd, table, room, (off_t)dynamic->offset);
	traits.has_origin = len > 0 && table_has_origin(&elf, span_of(table, (size_t)len));
	return traits;
}
