/* SPDX-License-Identifier: Apache-2.0 */
/* The paths that are billed of those who make pictures and videos, and of some that have one or two of their own. */
#include <stddef.h>

#include "provider/provider.h"

/* docs.dev.runwayml.com and docs.bfl.ai, 2026-11: tasks that are paid when they are accepted. */
const struct endpoint endpoint_runwayml[] = {
	{ .tail = "/v1/image_to_video", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/text_to_video", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/video_to_video", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/text_to_image",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .unit = UNIT_IMAGE },
	{ .tail = NULL },
};
const struct endpoint endpoint_bfl[] = {
	{ .tail = "/v1/*", .operation = "image", .dialect = DIALECT_OPENAI, .unit = UNIT_IMAGE },
	{ .tail = NULL },
};

/* platform.stability.ai/docs/api-reference, 2026-11: an image a call, whatever the answer's form. */
#define STABLE_IMAGE(what, name)                                                                \
	{                                                                                       \
		.tail = "/stable-image/" what, .operation = "image", .dialect = DIALECT_OPENAI, \
		.model = name, .unit = UNIT_IMAGE                                               \
	}
const struct endpoint endpoint_stability[] = {
	STABLE_IMAGE("generate/core", "stable-image-core"),
	STABLE_IMAGE("generate/ultra", "stable-image-ultra"),
	STABLE_IMAGE("generate/sd3", "sd3.5-large"),
	STABLE_IMAGE("edit/erase", "erase"),
	STABLE_IMAGE("edit/inpaint", "inpaint"),
	STABLE_IMAGE("edit/outpaint", "outpaint"),
	STABLE_IMAGE("edit/search-and-replace", "search-and-replace"),
	STABLE_IMAGE("edit/search-and-recolor", "search-and-recolor"),
	STABLE_IMAGE("edit/remove-background", "remove-background"),
	STABLE_IMAGE("edit/replace-background-and-relight", "replace-background-and-relight"),
	STABLE_IMAGE("control/sketch", "sketch"),
	STABLE_IMAGE("control/structure", "structure"),
	STABLE_IMAGE("control/style", "style"),
	STABLE_IMAGE("control/style-transfer", "style-transfer"),
	STABLE_IMAGE("upscale/fast", "fast"),
	STABLE_IMAGE("upscale/conservative", "conservative"),
	STABLE_IMAGE("upscale/creative", "creative"),
	{ .tail = NULL },
};

/* docs.x.ai, "Video generation", 2026-11: a job, whose bill is in the answer that says it is done. */
const struct endpoint endpoint_xai[] = {
	{ .tail = "/v1/videos/generations",
	  .operation = "video",
	  .dialect = DIALECT_OPENAI,
	  .is_deferred = true },
	{ .tail = "/v1/videos/edits",
	  .operation = "video",
	  .dialect = DIALECT_OPENAI,
	  .is_deferred = true },
	{ .tail = "/v1/videos/extensions",
	  .operation = "video",
	  .dialect = DIALECT_OPENAI,
	  .is_deferred = true },
	{ .tail = "/v1/videos/*", .operation = "video", .dialect = DIALECT_OPENAI, .job = JOB_POLL },
	{ .tail = NULL },
};

/* What the AI SDK calls where a model is named without a provider (@ai-sdk/gateway, 2026-11). */
const struct endpoint endpoint_vercel[] = {
	{ .tail = "/ai/language-model", .operation = "chat", .dialect = DIALECT_AI_SDK },
	{ .tail = "/ai/embedding-model", .operation = "embeddings", .dialect = DIALECT_AI_SDK },
	{ .tail = "/ai/image-model", .operation = "image", .dialect = DIALECT_AI_SDK },
	{ .tail = NULL },
};

/* platform.minimax.io/docs/api-reference, 2026-11: speech by its characters. */
const struct endpoint endpoint_minimax[] = {
	{ .tail = "/v1/t2a_v2", .operation = "speech", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

/* docs.fireworks.ai/api-reference, 2026-11: an image a call, which is the answer's body. */
const struct endpoint endpoint_fireworks[] = {
	{ .tail = "/workflows/accounts/*/models/*/text_to_image",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .unit = UNIT_IMAGE },
	{ .tail = "/workflows/accounts/*/models/*",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .unit = UNIT_IMAGE },
	{ .tail = NULL },
};

/* docs.deepinfra.com, "Native API", 2026-11 */
const struct endpoint endpoint_deepinfra[] = {
	{ .tail = "/v1/inference/*", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/inference/*/*", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

/* docs.api.nvidia.com, "Retrieval", 2026-11 */
const struct endpoint endpoint_nvidia[] = {
	{ .tail = "/reranking", .operation = "rerank", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

/* learn.microsoft.com, Azure AI Foundry, 2026-11: Sora's jobs, and pictures of Black Forest Labs. */
const struct endpoint endpoint_azure[] = {
	{ .tail = "/video/generations/jobs", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/providers/blackforestlabs/v1/*",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .unit = UNIT_IMAGE },
	{ .tail = NULL },
};

/* docs.reka.ai and dev.writer.com, 2026-11: a chat whose path ends early. */
const struct endpoint endpoint_chat[] = {
	{ .tail = "^/v1/chat", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};
