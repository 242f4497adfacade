/* SPDX-License-Identifier: Apache-2.0 */
/* The resolver's thread and its answers; getaddrinfo() is the test's. */
#include "unit.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>

#include "base/loop.h"
#include "daemon/resolve.h"
#include "provider/api.h"

struct world {
	struct loop *loop;
	size_t n_answers, n_ends, n_again;
	char first[256], last[256];
	size_t stop_after; /* answers; 0: at the end */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t n_asked;
static bool is_down; /* the resolver knows nothing */

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	struct addrinfo *info;
	struct sockaddr_in *address;

	pthread_mutex_lock(&lock);
	n_asked++;
	pthread_mutex_unlock(&lock);
	if (is_down)
		return EAI_AGAIN;
	info = calloc(1, sizeof(*info) + sizeof(*address));
	address = (struct sockaddr_in *)(info + 1);
	*address = (struct sockaddr_in){ .sin_family = AF_INET,
					 .sin_port = htons((uint16_t)atoi(port)),
					 .sin_addr.s_addr = htonl(0x0a000001) };
	info->ai_addr = (struct sockaddr *)address;
	info->ai_addrlen = sizeof(*address);
	*ret = info;
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

static void on_address(void *arg, const struct sockaddr *address, const char *host, bool is_again)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	struct world *world = arg;

	if (!address) {
		world->n_ends++;
		loop_stop(world->loop);
		return;
	}
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(ntohs(in->sin_port), 443);
	if (is_again) {
		world->n_again++;
		loop_stop(world->loop);
		return;
	}
	if (!world->n_answers++)
		snprintf(world->first, sizeof(world->first), "%s", host);
	snprintf(world->last, sizeof(world->last), "%s", host);
	if (world->n_answers == world->stop_after)
		loop_stop(world->loop);
}

/* How many names are asked for: neighbours, and AI hosts that are named in full. */
static size_t n_names(void)
{
	const char *name;
	size_t n = 0;

	for (size_t i = 0; (name = api_neighbour(i)); i++)
		n += !api_find(name);
	for (size_t i = 0; (name = api_pattern(i)); i++)
		n += !strchr(name, '*');
	return n;
}

static int setup(void **state)
{
	static struct world world;

	world = (struct world){ 0 };
	n_asked = 0;
	is_down = false;
	*state = &world;
	return loop_new(&world.loop);
}

static int teardown(void **state)
{
	struct world *world = *state;

	loop_free(world->loop);
	return 0;
}

static void each_name_is_asked_for_once_and_neighbours_first(void **state)
{
	struct world *world = *state;
	struct resolve *resolve;

	assert_int_equal(resolve_new(&resolve, world->loop, NULL, 0, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_ends, 1);
	assert_int_equal(world->n_answers, n_names());
	assert_int_equal(n_asked, n_names());
	if (api_neighbour(0))
		assert_null(api_find(world->first));
	assert_non_null(api_find(world->last));
	resolve_free(resolve);
}

static void a_resolver_that_knows_nothing_ends_as_well(void **state)
{
	struct world *world = *state;
	struct resolve *resolve;

	is_down = true;
	assert_int_equal(resolve_new(&resolve, world->loop, NULL, 0, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_ends, 1);
	assert_int_equal(world->n_answers, 0);
	resolve_free(resolve);
}

/* The thread ends by itself, after the question that it is at. */
static void it_can_be_freed_while_it_asks(void **state)
{
	struct world *world = *state;
	struct resolve *resolve;

	world->stop_after = 1;
	assert_int_equal(resolve_new(&resolve, world->loop, NULL, 0, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	resolve_free(resolve);
	assert_int_equal(world->n_ends, 0);
}

/* Once a minute, and at once if nothing is being asked. */
static void a_host_is_asked_about_again_but_not_often(void **state)
{
	struct world *world = *state;
	struct resolve *resolve;

	assert_int_equal(resolve_new(&resolve, world->loop, NULL, 0, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	n_asked = 0;
	for (int i = 0; i < 3; i++)
		resolve_again(resolve, 7, "api.openai.com");
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_again, 1);
	/* while its thread may still be at it, another waits for that */
	resolve_again(resolve, 7, "api.anthropic.com");
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_again, 2);
	assert_int_equal(n_asked, 2);
	resolve_free(resolve);
}

/* Such a name is its sender's choice: so many a minute of one cgroup, and another's are not held up by them. */
static void a_cgroup_chooses_few_names(void **state)
{
	struct world *world = *state;
	struct resolve *resolve;
	char name[64];

	assert_int_equal(resolve_new(&resolve, world->loop, NULL, 0, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	n_asked = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "a%d.openai.azure.com", i);
		resolve_again(resolve, 7, name);
	}
	resolve_again(resolve, 8, "b.openai.azure.com");
	while (world->n_again < RESOLVE_CHOSEN + 1)
		assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(n_asked, RESOLVE_CHOSEN + 1);
	resolve_free(resolve);
}

/* A proxy's addresses are asked for with the others, and with each host that is asked about again. */
static void more_names_are_asked_for_alike(void **state)
{
	static const char *const more[] = { "proxy.corp.example" };
	struct world *world = *state;
	struct resolve *resolve;

	assert_int_equal(resolve_new(&resolve, world->loop, more, 1, on_address, world), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_string_equal(world->last, "proxy.corp.example");
	n_asked = 0;
	resolve_again(resolve, 7, "api.openai.com");
	resolve_again(resolve, 7, "api.openai.com");
	while (world->n_again < 2)
		assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(n_asked, 2);
	resolve_free(resolve);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_name_is_asked_for_once_and_neighbours_first,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_resolver_that_knows_nothing_ends_as_well, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_can_be_freed_while_it_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_is_asked_about_again_but_not_often, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_names_are_asked_for_alike, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cgroup_chooses_few_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
