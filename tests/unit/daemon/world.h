/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole daemon without a kernel: every stage is real but the tap, discovery, the loop and the clock
 * (fake_kernel.h, fake_loop.h). It runs in a directory of its own, with the configuration that a test
 * writes there.
 */
#ifndef UNIT_DAEMON_WORLD_H
#define UNIT_DAEMON_WORLD_H

#include "unit.h"

#include <jansson.h>
#include <netinet/in.h>

#include "daemon/daemon.h"
#include "fake_kernel.h"
#include "fake_loop.h"
#include "ledger/overrides.h"

#define TGID    0x7fffff00 /* no process: beyond any pid_max */
#define CGROUP  0x7777777777ULL
#define MINUTE  (60 * NS_PER_S)
#define BUDGETS "enforce: true\nresolve: false\nbudgets:\n"
/* A call costs 0.002 USD. */
#define REFUSE(name, limit) \
	"- { name: " name ", limit: " limit ", steps: [ { at: 100%, do: refuse } ] }\n"

static struct {
	struct daemon daemon;
	char dir[UNIT_FOLDER_LEN], state[96], config[96], record[96];
	uint64_t cgroup; /* of what happens next */
	uint64_t connection, offsets[2];
	int stdout_before;
	bool kept_admin; /* as privileges_drop() was asked */
	size_t n_drops;
	int drop_err;
} world;

/* In place of privileges.o: the test needs its own. */
int privileges_drop(bool keep_admin)
{
	world.kept_admin = keep_admin;
	world.n_drops++;
	return world.drop_err;
}

static inline void configure(const char *text)
{
	unit_write(world.config, text, strlen(text));
}

/* What the daemon prints on standard output goes to a file of the test's directory. */
static inline int setup(void **state)
{
	char path[128];
	int fd;

	kernel_reset();
	fake_passed_ns = 0;
	memset(&world, 0, sizeof(world));
	if (unit_folder(world.dir))
		return -1;
	world.cgroup = CGROUP;
	snprintf(world.state, sizeof(world.state), "%s/state", world.dir);
	snprintf(world.config, sizeof(world.config), "%s/aigress.yaml", world.dir);
	snprintf(world.record, sizeof(world.record), "%s/events", world.dir);
	snprintf(path, sizeof(path), "%s/stdout", world.dir);
	fflush(stdout);
	world.stdout_before = dup(STDOUT_FILENO);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	configure("resolve: false\n");
	world.daemon.options = (struct daemon_options){
		.as_json = true, .config = world.config, .state = world.state, .version = "test"
	};
	return mkdir(world.state, 0700);
}

static inline int teardown(void **state)
{
	daemon_stop(&world.daemon);
	dup2(world.stdout_before, STDOUT_FILENO);
	close(world.stdout_before);
	return unit_remove(world.dir);
}

static inline void starts(void)
{
	assert_int_equal(daemon_start(&world.daemon), DAEMON_OK);
}

/* Ends it and begins with another one on the same ledger, as after a crash but for the commit. */
static inline void starts_again(void)
{
	const struct daemon_options options = world.daemon.options;

	daemon_stop(&world.daemon);
	world.daemon = (struct daemon){ .options = options };
	starts();
}

static inline void passes(uint64_t ns)
{
	assert_true(loop_pass(world.daemon.loop, ns));
}

/* Text that was printed so far; to be freed. */
static inline char *printed(void)
{
	char path[128], *text = calloc(1, 1 << 16);
	FILE *file;

	snprintf(path, sizeof(path), "%s/stdout", world.dir);
	file = fopen(path, "r");
	assert_non_null(file);
	(void)!fread(text, 1, (1 << 16) - 1, file);
	fclose(file);
	return text;
}

/* A part of the snapshot, NULL if it was never written. */
static inline json_t *part(const char *key)
{
	_cleanup_free_ char *text = ledger_get(world.daemon.ledger, key);

	return text ? json_loads(text, 0, NULL) : NULL;
}

static inline struct ev_head head(enum ev_type type)
{
	return (struct ev_head){ .type = type,
				 .tgid = TGID,
				 .cgroup = world.cgroup,
				 .id = world.connection,
				 .time_ns = clock_mono_ns() };
}

static inline void appears(const char *path)
{
	struct ev_cgroup event = { .head = head(EV_CGROUP) };

	snprintf(event.path, sizeof(event.path), "%s", path);
	kernel_event(&event, sizeof(event));
}

static inline void opens(const char *host)
{
	struct ev_open event;

	world.connection++;
	memset(world.offsets, 0, sizeof(world.offsets));
	event = (struct ev_open){
		.head = head(EV_OPEN), .ssl = 0xabc0, .verdict = CTL_AI, .comm = "agent"
	};
	snprintf(event.host, sizeof(event.host), "%s", host);
	kernel_event(&event, sizeof(event));
}

static inline void sends(enum ev_dir dir, const char *text)
{
	_Alignas(8) unsigned char buf[sizeof(struct ev_data) + 2048] = { 0 };
	struct ev_data *event = (struct ev_data *)buf;
	size_t len = strlen(text);

	assert_true(len <= 2048);
	event->head = head(EV_DATA);
	event->offset = world.offsets[dir];
	event->len = (uint32_t)len;
	event->dir = dir;
	memcpy(event->bytes, text, len);
	world.offsets[dir] += len;
	kernel_event(event, sizeof(*event) + len);
}

static inline void message(enum ev_dir dir, const char *start, const char *body)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", start,
		 strlen(body), body);
	sends(dir, text);
}

/* One call of 0.002 USD, of process TGID in world.cgroup. */
static inline void calls(void)
{
	opens("api.anthropic.com");
	message(EV_OUT,
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
		"anthropic-version: 2023-06-01",
		"{\"model\":\"claude-haiku-4-5\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\","
		"\"content\":\"hello there\"}]}");
	message(EV_IN, "HTTP/1.1 200 OK",
		"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
		"\"claude-haiku-4-5\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"usage\":"
		"{\"input_tokens\":1000,\"output_tokens\":200}}");
}

/* A connection of which nothing is read: greets, and ends with so many bytes each way. */
static inline void flows(uint64_t bytes)
{
	struct ev_flow event = { .head = head(EV_FLOW),
				 .verdict = CTL_AI,
				 .family = AF_INET,
				 .remote_port = 443,
				 .comm = "agent",
				 .host = "api.anthropic.com" };

	event.head.id = 0xf0 + ++world.connection;
	kernel_event(&event, sizeof(event));
	event.head.type = EV_FLOW_END;
	event.host[0] = '\0';
	event.bytes[EV_OUT] = event.bytes[EV_IN] = bytes;
	kernel_event(&event, sizeof(event));
}

static inline void count_call(void *arg, const struct ledger_call *call)
{
	++*(size_t *)arg;
}

/* Rows in the ledger, of those that were committed. */
static inline size_t calls_in_ledger(void)
{
	size_t n = 0;

	assert_int_equal(ledger_replay(world.daemon.ledger, 0, count_call, &n), 0);
	return n;
}

#endif
