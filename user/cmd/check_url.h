/* SPDX-License-Identifier: Apache-2.0 */
/* `aigress check --url URL`: a probe for where there is no curl, as in the image of the daemon. */
#ifndef CMD_CHECK_URL_H
#define CMD_CHECK_URL_H

/*
 * Asks what a daemon serves. CMD_OK if the answer is 2xx; otherwise CMD_FAILED after a message on stderr with the status and
 * the answer's first line, which says why. An enum cmd_exit.
 */
int check_url(const char *url);

#endif
