/* SPDX-License-Identifier: MPL-2.0 */
/* ctl_help - usage, printed from the table, so that it never says anything else than what is parsed. */
#include "ctl_help.h"

#include <string.h>

#include "ctl_number.h"

#define HELP_COLUMN 24

static void help_print_options(FILE *out, const char *title, const struct ctl_option *options)
{
	if (!options)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; options->kind != CTL_END; options++) {
		int used = fprintf(out, "  %s%s%s", options->name, options->value ? " " : "",
				   options->value ? options->value : "");

		fprintf(out, "%*s%s", used < HELP_COLUMN ? HELP_COLUMN + 2 - used : 2, "", options->help);
		if (ctl_number_is(options->kind))
			fprintf(out, " (%.12g to %.12g)", options->min, options->max);
		fputc('\n', out);
	}
}

static int help_print_usage(FILE *out, const struct ctl_verb *verb)
{
	int used = fprintf(out, "%s", verb->words);

	for (const struct ctl_option *argument = verb->arguments; argument && argument->kind != CTL_END; argument++)
		used += fprintf(out, " %s", argument->name);
	for (const struct ctl_option *option = verb->options; option && option->kind != CTL_END; option++) {
		if (option->is_needed)
			used += fprintf(out, " %s %s", option->name, option->value);
	}
	return used;
}

static int help_has_more(const struct ctl_verb *verb)
{
	for (const struct ctl_option *option = verb->options; option && option->kind != CTL_END; option++) {
		if (!option->is_needed)
			return 1;
	}
	return 0;
}

void ctl_help_print(FILE *out, const char *words)
{
	fputs("usage: weft [options] VERB ...\n\nverbs:\n", out);
	for (const struct ctl_verb *verb = ctl_verbs; verb->words; verb++) {
		int used;

		if (strncmp(verb->words, words, strlen(words)) != 0)
			continue;
		fputs("  ", out);
		used = help_print_usage(out, verb);
		fprintf(out, "%*s%s\n", used < 40 ? 42 - used : 2, "", verb->help);
	}
	help_print_options(out, "options of every verb, before or behind it", ctl_global_options);
	fputs("\nexit code: 0 every node answered, 2 some did (stderr says who is missing), 1 an error\n", out);
}

void ctl_help_print_verb(FILE *out, const struct ctl_verb *verb)
{
	fputs("usage: weft ", out);
	help_print_usage(out, verb);
	fprintf(out, "%s\n\n%s\n", help_has_more(verb) ? " [options]" : "", verb->help);
	help_print_options(out, "arguments", verb->arguments);
	help_print_options(out, "options", verb->options);
	help_print_options(out, "options of every verb", ctl_global_options);
}
