/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_FINGERPRINT_START_H
#define DAEMON_FINGERPRINT_START_H

struct daemon;

/* Takes the key of fingerprints, if the configuration asks for any. Without it metering goes on, and the log says so. */
void fingerprint_start(const struct daemon *daemon);

#endif
