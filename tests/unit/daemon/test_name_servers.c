/* SPDX-License-Identifier: Apache-2.0 */
/* Which name servers the node's files name. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "daemon/name_servers.h"

static char root[UNIT_FOLDER_LEN], seen[1024];

static void note(void *arg, const struct sockaddr *server)
{
	const struct sockaddr_in6 *in6 = (const void *)server;
	const struct sockaddr_in *in = (const void *)server;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(server->sa_family,
		  server->sa_family == AF_INET ? (const void *)&in->sin_addr :
						 (const void *)&in6->sin6_addr,
		  text, sizeof(text));
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s ", text);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/", root);
	for (const char *c = folder; *c; c++) {
		size_t len = strlen(path);

		path[len] = *c;
		path[len + 1] = '\0';
		if (c[1] == '/' || !c[1])
			(void)mkdir(path, 0755);
	}
	snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	seen[0] = '\0';
	return unit_folder(root);
}

static int teardown(void **state)
{
	return unit_remove(root);
}

static void the_resolvers_and_the_kubelets_are_read(void **state)
{
	write_file(
		"etc", "resolv.conf",
		"# nameserver 192.0.2.99\nsearch corp.example\nnameserver 127.0.0.53\n"
		"nameserver\tfe80::1%eth0\nnameserver none\nnameservers 192.0.2.98\noptions edns0\n");
	write_file("run/systemd/resolve", "resolv.conf", "nameserver 192.0.2.1\n");
	write_file("var/lib/kubelet", "config.yaml",
		   "clusterDomain: cluster.local\nclusterDNS:\n- 10.96.0.10\n- \"fd00::a\"\n"
		   "evictionHard: {}\n- 192.0.2.97\n");
	name_servers_each(root, note, NULL);
	assert_string_equal(seen, "127.0.0.53 fe80::1 192.0.2.1 10.96.0.10 fd00::a ");
}

static void a_list_in_brackets_and_no_files_at_all(void **state)
{
	name_servers_each(root, note, NULL);
	assert_string_equal(seen, "");
	write_file("var/lib/kubelet", "config.yaml", "clusterDNS: [10.96.0.10, '10.96.0.11']\n");
	name_servers_each(root, note, NULL);
	assert_string_equal(seen, "10.96.0.10 10.96.0.11 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_resolvers_and_the_kubelets_are_read, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_list_in_brackets_and_no_files_at_all, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
