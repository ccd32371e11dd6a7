// What common tools make of a value, taken from their output: each must hold a needle of the value.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "redact/forms.h"

static struct err err;

#define TEXT(text) {(const uint8_t *)("" text), sizeof(text) - 1}

#define PASSWORD "p@ss w0rd's \"key\"\\<&>/%+$x`"
#define UNICODE "schl\xc3\xbcssel \xe2\x80\xa8 \xf0\x9f\x94\x91 7"
#define CONTROLS "tab\there\x1b[1m\nnext line"
#define BINARY "\xff\xferaw\x00\x07 bytes\r\n 12"
#define TOKEN "Kq7vXz2LmP9tRw4BcN"

struct vector {
	const char *tool;
	enum redact_form form; // the first that has these bytes
	struct span value;
	struct span output;
};

// Debian 12: coreutils 9.1, xxd 9.0, bash 5.2, dash, zsh 5.9, fish 3.6, Python 3.11, PyYAML 6.0, Node.js 20, Go, Rust, jq
// 1.6.
static const struct vector vectors[] = {
	{"xxd", REDACT_FORM_HEX, TEXT(TOKEN),
	 TEXT("4b713776587a324c6d50397452773442634e")},
	{"xxd -p", REDACT_FORM_HEX, TEXT(TOKEN),
	 TEXT("4b713776587a324c6d50397452773442634e")},
	{"xxd -u", REDACT_FORM_HEX_UPPER, TEXT(TOKEN),
	 TEXT("4B713776587A324C6D50397452773442634E")},
	{"xxd -i", REDACT_FORM_HEX, TEXT(TOKEN),
	 TEXT("0x4b,0x71,0x37,0x76,0x58,0x7a,0x32,0x4c,0x6d,0x50,0x39,0x74,0x52,0x77,0x34,0x42,0x63"
	      ",0x4e")},
	{"hexdump -C", REDACT_FORM_HEX, TEXT(TOKEN),
	 TEXT("4b713776587a324c6d50397452773442634e")},
	{"hexdump", REDACT_FORM_WORDS, TEXT(TOKEN),
	 TEXT("714b76377a584c32506d7439775242344e63")},
	{"od", REDACT_FORM_OCTAL, TEXT(TOKEN),
	 TEXT("070513073067075130046062050155072071073522041064047143")},
	{"od -x", REDACT_FORM_WORDS, TEXT(TOKEN),
	 TEXT("714b76377a584c32506d7439775242344e63")},
	{"od -b", REDACT_FORM_OCTAL, TEXT(TOKEN),
	 TEXT("113161067166130172062114155120071164122167064102143116")},
	{"od -tx1z", REDACT_FORM_HEX, TEXT(TOKEN),
	 TEXT("4b713776587a324c6d50397452773442634e")},
	{"od -c", REDACT_FORM_RAW, TEXT(TOKEN),
	 TEXT("Kq7vXz2LmP9tRw4BcN")},
	{"od -c", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("tab\\there033[1m\\nnextline")},
	{"base32", REDACT_FORM_BASE32, TEXT(TOKEN),
	 TEXT("JNYTO5SYPIZEY3KQHF2FE5ZUIJRU4===")},
	{"base64", REDACT_FORM_BASE64, TEXT(TOKEN),
	 TEXT("S3E3dlh6MkxtUDl0Unc0QmNO")},
	{"python urlsafe_b64encode", REDACT_FORM_BASE64URL, TEXT(BINARY),
	 TEXT("df_-cmF3AAcgYnl0ZXMNCiAxMg==")},
	{"base64", REDACT_FORM_BASE64, TEXT(BINARY),
	 TEXT("//5yYXcAByBieXRlcw0KIDEy")},
	{"python json.dumps", REDACT_FORM_JSON, TEXT(UNICODE),
	 TEXT("\"schl\\u00fcssel \\u2028 \\ud83d\\udd11 7\"")},
	{"python json.dumps ensure_ascii=False", REDACT_FORM_JSON, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\u001b[1m\\nnext line\"")},
	{"python json.dumps twice", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"{\\\"a\\\": \\\"p@ss w0rd's \\\\\\\"key\\\\\\\"\\\\\\\\<&>/%+$x`\\\"}\"")},
	{"python json.dumps twice", REDACT_FORM_JSON, TEXT(UNICODE),
	 TEXT("\"{\\\"a\\\": \\\"schl\\\\u00fcssel \\\\u2028 \\\\ud83d\\\\udd11 7\\\"}\"")},
	{"jq -Rs .", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"p@ss w0rd's \\\"key\\\"\\\\<&>/%+$x`\"")},
	{"jq -aRs .", REDACT_FORM_JSON, TEXT(UNICODE),
	 TEXT("\"schl\\u00fcssel \\u2028 \\ud83d\\udd11 7\"")},
	{"node JSON.stringify", REDACT_FORM_JSON, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\u001b[1m\\nnext line\"")},
	{"go json", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"p@ss w0rd's \\\"key\\\"\\\\\\u003c\\u0026\\u003e/%+$x`\"")},
	{"go json twice", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"\\\"p@ss w0rd's \\\\\\\"key\\\\\\\"\\\\\\\\\\\\u003c\\\\u0026\\\\u003e/%+$x`\\\"\"")},
	{"jq tojson", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"\\\"p@ss w0rd's \\\\\\\"key\\\\\\\"\\\\\\\\<&>/%+$x`\\\"\"")},
	{"python quote", REDACT_FORM_PERCENT, TEXT("pass_word-1.2~3/4 5"),
	 TEXT("pass_word-1.2~3/4%205")},
	{"node URLSearchParams", REDACT_FORM_PERCENT, TEXT("pass_word-1.2~3*4 5"),
	 TEXT("a=pass_word-1.2%7E3*4+5")},
	{"python quote", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("p%40ss%20w0rd%27s%20%22key%22%5C%3C%26%3E/%25%2B%24x%60")},
	{"python quote_plus", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("p%40ss+w0rd%27s+%22key%22%5C%3C%26%3E%2F%25%2B%24x%60")},
	{"node encodeURIComponent", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("p%40ss%20w0rd's%20%22key%22%5C%3C%26%3E%2F%25%2B%24x%60")},
	{"node encodeURI", REDACT_FORM_PERCENT, TEXT(UNICODE),
	 TEXT("schl%C3%BCssel%20%E2%80%A8%20%F0%9F%94%91%207")},
	{"node URLSearchParams", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("a=p%40ss+w0rd%27s+%22key%22%5C%3C%26%3E%2F%25%2B%24x%60")},
	{"node URL", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("http://u:p%40ss%20w0rd's%20%22key%22%5C%3C&%3E%2F%+$x%60@h/")},
	{"go QueryEscape", REDACT_FORM_PERCENT, TEXT(UNICODE),
	 TEXT("schl%C3%BCssel+%E2%80%A8+%F0%9F%94%91+7")},
	{"go PathEscape", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("p@ss%20w0rd%27s%20%22key%22%5C%3C&%3E%2F%25+$x%60")},
	{"go UserPassword", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("u:p%40ss%20w0rd%27s%20%22key%22%5C%3C&%3E%2F%25+$x%60")},
	{"jq uri", REDACT_FORM_PERCENT, TEXT(PASSWORD),
	 TEXT("p%40ss%20w0rd's%20%22key%22%5C%3C%26%3E%2F%25%2B%24x%60")},
	{"python repr", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("'tab\\there\\x1b[1m\\nnext line'")},
	{"python repr", REDACT_FORM_C, TEXT(PASSWORD),
	 TEXT("'p@ss w0rd\\'s \"key\"\\\\<&>/%+$x`'")},
	{"python repr", REDACT_FORM_JSON, TEXT(UNICODE),
	 TEXT("'schl\xc3\xbcssel \\u2028 \xf0\x9f\x94\x91 7'")},
	{"python repr of bytes", REDACT_FORM_C, TEXT(BINARY),
	 TEXT("b'\\xff\\xferaw\\x00\\x07 bytes\\r\\n 12'")},
	{"python repr of bytes", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("b'schl\\xc3\\xbcssel \\xe2\\x80\\xa8 \\xf0\\x9f\\x94\\x91 7'")},
	{"python ascii", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("'schl\\xfcssel \\u2028 \\U0001f511 7'")},
	{"python repr of os.environ", REDACT_FORM_JSON, TEXT("caf\xe9 key \xff 12"),
	 TEXT("'caf\\udce9 key \\udcff 12'\n")},
	{"go %q", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\x1b[1m\\nnext line\"")},
	{"go %q", REDACT_FORM_JSON, TEXT(PASSWORD),
	 TEXT("\"p@ss w0rd's \\\"key\\\"\\\\<&>/%+$x`\"")},
	{"go %q", REDACT_FORM_JSON, TEXT(UNICODE),
	 TEXT("\"schl\xc3\xbcssel \\u2028 \xf0\x9f\x94\x91 7\"")},
	{"go %+q", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("\"schl\\u00fcssel \\u2028 \\U0001f511 7\"")},
	{"node util.inspect", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("'tab\\there\\x1B[1m\\nnext line'")},
	{"rust {:?}", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\u{1b}[1m\\nnext line\"")},
	{"rust {:?}", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("\"schl\xc3\xbcssel \\u{2028} \xf0\x9f\x94\x91 7\"")},
	{"rust escape_default", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("schl\\u{fc}ssel \\u{2028} \\u{1f511} 7")},
	{"PyYAML", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\e[1m\\nnext line\"")},
	{"PyYAML allow_unicode", REDACT_FORM_C, TEXT(CONTROLS),
	 TEXT("\"tab\\there\\e[1m\\nnext line\"")},
	{"python shlex.quote", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("'p@ss w0rd'\"'\"'s \"key\"\\<&>/%+$x`'")},
	{"bash set -x", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("+ true 'p@ss w0rd'\\''s \"key\"\\<&>/%+$x`'")},
	{"bash set -x", REDACT_FORM_RAW, TEXT(CONTROLS),
	 TEXT("+ true 'tab\there\x1b[1m\nnext line'\n")},
	{"bash set -x, [[ x == \"$V\" ]]", REDACT_FORM_SHELL, TEXT(TOKEN),
	 TEXT("+ [[ x == \\K\\q\\7\\v\\X\\z\\2\\L\\m\\P\\9\\t\\R\\w\\4\\B\\c\\N ]]")},
	{"bash set -x, [[ x == \"$V\" ]]", REDACT_FORM_SHELL, TEXT("it's \xc3\xbc\tber\n12"),
	 TEXT("+ [[ x == \\i\\t\\'\\s\\ \\\xc3\xbc\\\t\\b\\e\\r\\\n\\1\\2 ]]")},
	{"bash set -x, : $V", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("+ : p@ss 'w0rd'\\''s' '\"key\"\\<&>/%+$x`'\n")},
	{"bash set -x, : $V", REDACT_FORM_SHELL, TEXT("'first' ' ~x a=~b #c d#e ,f tab\tz  {12}\n"),
	 TEXT("+ : ''\\''first'\\''' \\' '~x' 'a=~b' '#c' d#e ,f tab z '{12}'\n")},
	{"bash set -x, : $V", REDACT_FORM_SHELL, TEXT("it's a\x01\x1b ctl\x1b[1m \vnew caf\xc3\xa9 \xff\n12"),
	 TEXT("+ : 'it'\\''s' $'a\\001\\E' 'ctl\x1b[1m' $'\\vnew' caf\xc3\xa9 $'\\377' 12\n")},
	{"bash set -x, : $V, C locale", REDACT_FORM_SHELL, TEXT(UNICODE),
	 TEXT("+ : $'schl\\303\\274ssel' $'\\342\\200\\250' $'\\360\\237\\224\\221' 7\n")},
	{"bash set -x, : $V", REDACT_FORM_SHELL, TEXT(UNICODE),
	 TEXT("+ : schl\xc3\xbcssel $'\\342\\200\\250' \xf0\x9f\x94\x91 7\n")},
	{"dash -x, : $V", REDACT_FORM_RAW, TEXT(PASSWORD),
	 TEXT("+ : p@ss w0rd's \"key\"\\<&>/%+$x`\n")},
	{"bash printf %q", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("p@ss\\ w0rd\\'s\\ \\\"key\\\"\\\\\\<\\&\\>/%+\\$x\\`")},
	{"bash printf %q", REDACT_FORM_SHELL, TEXT(CONTROLS),
	 TEXT("$'tab\\there\\E[1m\\nnext line'")},
	{"bash printf %q", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("$'schl\xc3\xbcssel \\342\\200\\250 \xf0\x9f\x94\x91 7'")},
	{"bash printf %q, C locale", REDACT_FORM_C, TEXT(UNICODE),
	 TEXT("$'schl\\303\\274ssel \\342\\200\\250 \\360\\237\\224\\221 7'")},
	{"bash declare -p", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("declare -x V=\"p@ss w0rd's \\\"key\\\"\\\\<&>/%+\\$x\\`\"")},
	{"dash export -p", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("export V='p@ss w0rd'\"'\"'s \"key\"\\<&>/%+$x`'")},
	{"coreutils printf %q", REDACT_FORM_SHELL, TEXT(CONTROLS),
	 TEXT("'tab'$'\\t''here'$'\\033''[1m'$'\\n''next line'")},
	{"coreutils printf %q, C locale", REDACT_FORM_SHELL, TEXT(UNICODE),
	 TEXT("'schl'$'\\303\\274''ssel '$'\\342\\200\\250'' '$'\\360\\237\\224\\221'' 7'")},
	{"zsh (q)", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("p@ss\\ w0rd\\'s\\ \\\"key\\\"\\\\\\<\\&\\>/%+\\$x\\`")},
	{"zsh (q)", REDACT_FORM_SHELL, TEXT(CONTROLS),
	 TEXT("tab$'\\t'here$'\\033'\\[1m$'\\n'next\\ line")},
	{"fish string escape", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("p@ss\\ w0rd\\'s\\ \\\"key\\\"\\\\\\<\\&\\>/\\%+\\$x`")},
	{"jq sh", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("'p@ss w0rd'\\''s \"key\"\\<&>/%+$x`'")},
	{"jq csv", REDACT_FORM_SHELL, TEXT(PASSWORD),
	 TEXT("\"p@ss w0rd's \"\"key\"\"\\<&>/%+$x`\"")},
	{"python html.escape", REDACT_FORM_XML, TEXT(PASSWORD),
	 TEXT("p@ss w0rd&#x27;s &quot;key&quot;\\&lt;&amp;&gt;/%+$x`")},
	{"python xmlcharrefreplace", REDACT_FORM_XML, TEXT(UNICODE),
	 TEXT("schl&#252;ssel &#8232; &#128273; 7")},
	{"go html", REDACT_FORM_XML, TEXT(PASSWORD),
	 TEXT("p@ss w0rd&#39;s &#34;key&#34;\\&lt;&amp;&gt;/%+$x`")},
	{"go xml", REDACT_FORM_XML, TEXT("a<b>&\"'\tc\nd 12"),
	 TEXT("a&lt;b&gt;&amp;&#34;&#39;&#x9;c&#xA;d 12")},
	{"jq html", REDACT_FORM_XML, TEXT(PASSWORD),
	 TEXT("p@ss w0rd&apos;s &quot;key&quot;\\&lt;&amp;&gt;/%+$x`")},
	{"utf16le", REDACT_FORM_UTF16LE, TEXT(UNICODE),
	 TEXT("s\x00" "c\x00h\x00l\x00\xfc\x00s\x00s\x00" "e\x00l\x00 \x00(  \x00=\xd8\x11\xdd "
	      "\x00" "7\x00")},
	{"utf16be", REDACT_FORM_UTF16BE, TEXT(UNICODE),
	 TEXT("\x00s\x00" "c\x00h\x00l\x00\xfc\x00s\x00s\x00" "e\x00l\x00  (\x00 \xd8=\xdd\x11\x00 "
	      "\x00" "7")},
	{"rev", REDACT_FORM_REVERSED, TEXT(TOKEN),
	 TEXT("NcB4wRt9PmL2zXv7qK")},
	{"rev", REDACT_FORM_REVERSED, TEXT(UNICODE),
	 TEXT("7 \xf0\x9f\x94\x91 \xe2\x80\xa8 less\xc3\xbclhcs")},
	{"python [::-1]", REDACT_FORM_REVERSED, TEXT(CONTROLS),
	 TEXT("enil txen\nm1[\x1b" "ereh\tbat")},
	{"node Buffer JSON", REDACT_FORM_DECIMAL, TEXT(TOKEN),
	 TEXT("{\"type\":\"Buffer\",\"data\":[75,113,55,118,88,122,50,76,109,80,57,116,82,119,52,66"
	      ",99,78]}")},
	{"rust {:?} of bytes", REDACT_FORM_DECIMAL, TEXT(TOKEN),
	 TEXT("[75,113,55,118,88,122,50,76,109,80,57,116,82,119,52,66,99,78]")},
	{"go %v", REDACT_FORM_DECIMAL, TEXT(TOKEN),
	 TEXT("[75 113 55 118 88 122 50 76 109 80 57 116 82 119 52 66 99 78]")},
	{"go %#v", REDACT_FORM_HEX, TEXT(CONTROLS),
	 TEXT("[]byte{0x74,0x61,0x62,0x9,0x68,0x65,0x72,0x65,0x1b,0x5b,0x31,0x6d,0xa,0x6e,0x65,0x78"
	      ",0x74,0x20,0x6c,0x69,0x6e,0x65}")},
	{"bash unquoted echo", REDACT_FORM_RAW, TEXT("two words\nand more\n"),
	 TEXT("twowordsandmore")},
};

// The output as it is, without white space, and the digits of a dump without offsets and text column.
struct lanes {
	uint8_t room[2][4096];
	struct span list[3];
};

static bool is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= 9 && byte <= 13);
}

static bool is_offset(struct span line, size_t *ret_len)
{
	size_t len = 0;
	while (len < line.len && strchr("0123456789abcdef", line.data[len]))
		len++;
	*ret_len = len + (len < line.len && line.data[len] == ':');
	return len >= 6;
}

static struct span line_of(struct span text, size_t at)
{
	size_t end = at;
	while (end < text.len && text.data[end] != '\n')
		end++;
	return span_of(text.data + at, end - at);
}

static void lanes_make(struct lanes *lanes, struct span output)
{
	size_t loose = 0;
	size_t dump = 0;
	assert_true(output.len <= sizeof(lanes->room[0]));
	for (size_t i = 0; i < output.len; i++)
		if (!is_space(output.data[i]))
			lanes->room[0][loose++] = output.data[i];
	for (size_t at = 0; at < output.len;) {
		struct span line = line_of(output, at);
		size_t from;
		bool dumped = is_offset(line, &from);
		for (size_t i = from; i < line.len && dumped; i++) {
			bool text = line.data[from - 1] == ':' && i > from + 2 && line.data[i] == ' ' && line.data[i - 1] == ' ';
			dumped = !text && !strchr("|>", line.data[i]);
			if (dumped && !is_space(line.data[i]))
				lanes->room[1][dump++] = line.data[i];
		}
		at += line.len + 1;
	}
	lanes->list[0] = output;
	lanes->list[1] = span_of(lanes->room[0], loose);
	lanes->list[2] = span_of(lanes->room[1], dump);
}

struct search {
	const struct vector *vector;
	struct lanes lanes;
	bool found;
};

static int search_take(void *context, const struct needle *needle, struct err *e)
{
	struct search *search = context;
	(void)e;
	for (size_t i = 0; i < 3 && needle->form == search->vector->form; i++) {
		struct span lane = search->lanes.list[i];
		search->found |= memmem(lane.data, lane.len, needle->bytes.data, needle->bytes.len) != NULL;
	}
	return 0;
}

static void test_output_of_tools(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		struct span value = vectors[i].value;
		_cleanup_secret_ struct secret *room = NULL;
		struct search search = {.vector = &vectors[i]};
		lanes_make(&search.lanes, vectors[i].output);
		assert_int_equal(secret_new(form_room_bytes(value.len), SECRET_LOCK_PREFERRED, &room, &err), 0);
		assert_int_equal(form_each_needle(value, 0, room, search_take, &search, &err), 0);
		if (!search.found)
			fail_msg("%s, vector %zu: no %s needle", vectors[i].tool, i, redact_form_name(vectors[i].form));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_of_tools),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
