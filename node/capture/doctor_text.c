/* SPDX-License-Identifier: MPL-2.0 */
/* doctor_text - a report as JSON for programs, and as lines for a person. Says only what the report says. */
#include "doctor.h"

static json_t *doctor_finding_json(const struct doctor_finding *finding)
{
	json_t *object = json_pack("{s:s, s:b}", "source", finding->source, "works", finding->works);

	if (object && finding->why[0])
		json_object_set_new(object, "why", json_string(finding->why));
	if (object && finding->mend[0])
		json_object_set_new(object, "mend", json_string(finding->mend));
	return object;
}

json_t *doctor_describe(const struct doctor_report *report, const char *node)
{
	json_t *sources = json_array();

	for (size_t i = 0; i < DOCTOR_SOURCES; i++)
		json_array_append_new(sources, doctor_finding_json(&report->findings[i]));
	return json_pack("{s:s, s:o, s:s, s:s, s:b, s:b}", "node", node, "sources", sources, "recommended",
			 report->recommended, "because", report->because, "node_running", report->is_node_running,
			 "leftovers", report->has_leftovers);
}

void doctor_print(FILE *out, const struct doctor_report *report)
{
	for (size_t i = 0; i < DOCTOR_SOURCES; i++) {
		const struct doctor_finding *finding = &report->findings[i];

		fprintf(out, "%-8s %s%s%s\n", finding->source, finding->works ? "works" : "does not work",
			finding->why[0] ? ": " : "", finding->why);
		if (finding->mend[0])
			fprintf(out, "%-8s mend: %s\n", "", finding->mend);
	}
	fprintf(out, "take %s: %s\n", report->recommended, report->because);
	if (report->is_node_running)
		fputs("a node runs in this network namespace\n", out);
	if (report->has_leftovers)
		fputs("rules of a node that is gone are left (weft doctor --clean removes them)\n", out);
}
