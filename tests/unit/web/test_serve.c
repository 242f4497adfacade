/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "web/access.h"
#include "web/assets.h"

static void addresses_are_read(void **state)
{
	static const char *const bad[] = { "",
					   "localhost",
					   "127.0.0.1:",
					   "127.0.0.1:0",
					   "127.0.0.1:65536",
					   "127.0.0.1:80x",
					   "::1",
					   "[::1",
					   "[::1]80",
					   "1.2.3",
					   "[1.2.3.4]:5",
					   "127.0.0.1:-5",
					   "127.0.0.1: 80",
					   "[::1]:99999999999999999999",
					   ":80" };
	struct sockaddr_storage address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&address;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(serve_parse_address(bad[i], &address), -EINVAL);
	assert_int_equal(serve_parse_address("127.1.2.3:80", &address), 0);
	assert_int_equal(ntohs(v4->sin_port), 80);
	assert_true(serve_is_loopback(&address));
	assert_int_equal(serve_parse_address("0.0.0.0", &address), 0);
	assert_int_equal(ntohs(v4->sin_port), SERVE_PORT);
	assert_false(serve_is_loopback(&address));
	assert_int_equal(serve_parse_address("[::1]:1", &address), 0);
	assert_true(serve_is_loopback(&address));
	assert_int_equal(serve_parse_address("[::]:65535", &address), 0);
	assert_false(serve_is_loopback(&address));
}

static void without_a_token_only_this_host_by_its_own_name(void **state)
{
	struct serve_config config = { .is_on = true };

	serve_parse_address("127.0.0.1", &config.listen);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "127.0.0.1:24473", NULL), SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "LocalHost:1", NULL), SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "[::1]:24473", NULL), SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_METRICS, NULL, NULL), SERVE_OK);
	/* DNS rebinding: the name is the attacker's, the address is ours. */
	assert_int_equal(serve_judge(&config, SERVE_DATA, "evil.example", NULL), SERVE_BAD_HOST);
	assert_int_equal(serve_judge(&config, SERVE_METRICS, "localhost.evil.example", NULL),
			 SERVE_BAD_HOST);
	assert_int_equal(serve_judge(&config, SERVE_OPEN, "evil.example", NULL), SERVE_OK);
	serve_parse_address("0.0.0.0", &config.listen);
	assert_int_equal(serve_judge(&config, SERVE_METRICS, "10.0.0.1", NULL), SERVE_FORBIDDEN);
	config.public_metrics = true;
	assert_int_equal(serve_judge(&config, SERVE_METRICS, "aigress.svc", NULL), SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "10.0.0.1", NULL), SERVE_FORBIDDEN);
}

static void write_token(const char *path, const char *token)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(token, file);
	fclose(file);
}

static void the_token_opens_and_is_read_anew(void **state)
{
	char path[] = "/tmp/aigress-token-XXXXXX", *sentence = NULL;
	struct serve_config config = { .is_on = true, .token_file = path };

	close(mkstemp(path));
	serve_parse_address("0.0.0.0", &config.listen);
	assert_true(serve_check_token(&config, &sentence) < 0);
	assert_non_null(strstr(sentence, path));
	free(sentence);
	write_token(path, "short\n");
	assert_int_equal(serve_check_token(&config, &sentence), -EINVAL);
	free(sentence);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer short"), SERVE_NO_TOKEN);
	write_token(path, "0123456789abcdef\n");
	assert_int_equal(serve_check_token(&config, &sentence), 0);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer 0123456789abcdef"), SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "bearer  0123456789abcdef"),
			 SERVE_OK);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer 0123456789abcdeg"),
			 SERVE_NO_TOKEN);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer 0123456789abcdef0"),
			 SERVE_NO_TOKEN);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer "), SERVE_NO_TOKEN);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Basic 0123456789abcdef"),
			 SERVE_NO_TOKEN);
	assert_int_equal(serve_judge(&config, SERVE_METRICS, "h", NULL), SERVE_NO_TOKEN);
	assert_int_equal(serve_judge(&config, SERVE_OPEN, "h", NULL), SERVE_OK);
	write_token(path, "fedcba9876543210");
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer 0123456789abcdef"),
			 SERVE_NO_TOKEN);
	unlink(path);
	assert_int_equal(serve_judge(&config, SERVE_DATA, "h", "Bearer fedcba9876543210"),
			 SERVE_NO_TOKEN);
}

static void the_page_loads_nothing_from_elsewhere(void **state)
{
	static const char *const paths[] = { "/", "/status.css", "/status.js", "/icon.svg" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct web_file *file = web_find(paths[i]);
		size_t len;

		assert_non_null(file);
		len = (size_t)(file->end - file->start);
		assert_true(len > 100);
		assert_null(memmem(file->start, len, "https://", 8));
		assert_null(memmem(file->start, len, "innerHTML", 9));
		assert_null(memmem(file->start, len, " style=", 7));
	}
	assert_null(web_find("/../etc/passwd"));
	assert_null(web_find("/status.html"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(without_a_token_only_this_host_by_its_own_name),
		cmocka_unit_test(the_token_opens_and_is_read_anew),
		cmocka_unit_test(the_page_loads_nothing_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
