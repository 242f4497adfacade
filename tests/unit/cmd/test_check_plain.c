/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the ports of model servers, found in a /proc of the test's own. */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/check_plain.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define ROW(local, remote, state) \
	"   0: " local " " remote " " state " 00000000:00000000 00:00000000 00000000     0\n"

static char root[64];

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/check-plain-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	write_file("12/ns/net", "");
	write_file("12/net/tcp", HEAD ROW("0500000A:C350", "0600000A:0FA0", "01") /* 10.0.0.6:4000 */
		   ROW("0500000A:C351", "0600000A:0FA0", "01")
			   ROW("0500000A:C352", "0600000A:0FA0", "06") /* has ended */
		   ROW("0500000A:0FA0", "0600000A:C350", "01")         /* a server's own end */
		   ROW("0500000A:C353", "0600000A:01BB", "01"));       /* 443 */
	write_file("12/net/tcp6",
		   HEAD ROW("000080FE000000000000000001000000:C350",
			    "000080FE000000000000000002000000:2CAA", "01")
			   ROW("0000000000000000FFFF00000100007F:C351",
			       "0000000000000000FFFF00000100007F:7530", "01") "nonsense\n");
	write_file("13/ns/net", "");
	write_file("13/net/tcp", HEAD ROW("0500000A:C350", "0700000A:1F40", "01"));
	write_file("self/ns/net", "");
	write_file("self/net/tcp", HEAD ROW("0500000A:C350", "0900000A:1F40", "01"));
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static const struct check_plain *at(const struct check_plain *found, size_t n, const char *address,
				    unsigned port)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(found[i].address, address) && found[i].port == port)
			return &found[i];
	return NULL;
}

static void they_are_found_in_each_namespace(void **state)
{
	struct check_plain found[CHECK_PLAIN_MAX];
	size_t n = check_plain_scan(root, NULL, found);

	assert_int_equal(n, 4);
	assert_int_equal(at(found, n, "10.0.0.6", 4000)->connections, 2);
	assert_string_equal(at(found, n, "10.0.0.6", 4000)->server, "LiteLLM");
	assert_non_null(at(found, n, "[fe80::2]", 11434));
	assert_non_null(at(found, n, "127.0.0.1", 30000));
	assert_non_null(at(found, n, "10.0.0.7", 8000));
}

static void what_is_named_is_left_out(void **state)
{
	json_t *config = json_pack("{s:[i,i]}", "ports", 4000, 8000);
	struct check_plain found[CHECK_PLAIN_MAX];
	size_t n = check_plain_scan(root, config, found);
	json_t *rows = check_plain_json(found, n);

	assert_int_equal(n, 2);
	assert_null(at(found, n, "10.0.0.6", 4000));
	assert_int_equal(json_array_size(rows), 2);
	json_decref(rows);
	json_decref(config);
}

static void nothing_is_said_of_nothing(void **state)
{
	struct check_plain found[CHECK_PLAIN_MAX];
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(check_plain_scan("/nowhere", NULL, found), 0);
	check_plain_print(found, 0, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_found_in_each_namespace),
		cmocka_unit_test(what_is_named_is_left_out),
		cmocka_unit_test(nothing_is_said_of_nothing),
	};

	return cmocka_run_group_tests_name("check_plain", tests, setup, teardown);
}
