/* SPDX-License-Identifier: MPL-2.0 */
/* verb_doctor - which sources each host could take, as the host's own tries say. */
#include "capture/doctor.h"
#include "verbs.h"

int doctor_run(struct context *context, const struct command *command, struct partial *own, struct error *err)
{
	struct doctor_report report;
	json_t *host;

	(void)command;
	/* The tries run programs, which may wait for others: no hang of the loop. */
	if (context->beat)
		atomic_store(context->beat, 0);
	doctor_examine(context->queue, &report);
	if (context->beat)
		atomic_store(context->beat, 1);
	host = doctor_describe(&report, context->node);
	if (!host)
		return error_set(err, ERROR_INTERNAL, "doctor: out of memory");
	own->document = json_pack("{s:[o]}", "hosts", host);
	return 0;
}
