/* SPDX-License-Identifier: MPL-2.0 */
/* doctor_main - "weftd --doctor": which sources work on this host, asked of the host itself. */
#ifndef NODE_DOCTOR_MAIN_H
#define NODE_DOCTOR_MAIN_H

#define DOCTOR_OPTION "--doctor" /* anywhere in weftd's arguments: they are doctor_main's */

/* Exit code: 0 the default source works (with --clean: and the rules are gone), 1 otherwise. */
int doctor_main(int argc, char **argv);

#endif
