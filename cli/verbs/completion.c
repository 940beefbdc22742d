/* completion: what a shell needs to complete `leat`; complete: what it then asks. The scripts hold
 * no table of their own: the program that is installed answers, so that they cannot be old. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/complete.h"
#include "cli/verb.h"
#include "common/base/mem.h"

#define ANSWER_SECONDS 2 /* nobody waits longer for a Tab */

/* Bash cuts words at '=' and ':'; they are put together again for the question, and what bash
 * believes to stand before the word is cut off the answers. */
static const char bash[] =
    "# eval \"$(leat completion bash)\"\n"
    "_leat()\n"
    "{\n"
    "    local words=() word glued='' current kept value\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD}\"; do\n"
    "        if [[ $word == [=:] && ${#words[@]} -gt 0 ]]; then\n"
    "            words[-1]+=$word glued=1\n"
    "        elif [[ $glued ]]; then\n"
    "            words[-1]+=$word glued=''\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "    done\n"
    "    current=${words[-1]} COMPREPLY=()\n"
    "    kept=${current%\"${current##*[=:]}\"}\n"
    "    while IFS=$'\\t' read -r value _; do\n"
    "        if [[ $value == :files ]]; then\n"
    "            compopt -o filenames\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"${current#\"$kept\"}\")\n"
    "        else\n"
    "            printf -v value %q \"${value#\"$kept\"}\"\n"
    "            COMPREPLY+=(\"$value\")\n"
    "        fi\n"
    "    done < <(\"${COMP_WORDS[0]/#\\~/$HOME}\" complete -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _leat leat\n";

static const char zsh[] =
    "#compdef leat\n"
    "# in a folder of $fpath as _leat, or: source <(leat completion zsh) after compinit\n"
    "_leat()\n"
    "{\n"
    "    local line value files\n"
    "    local -a described\n"
    "    for line in \"${(@f)$(\"${(Q)words[1]}\" complete -- \"${(@Q)words[2,CURRENT]}\" "
    "2>/dev/null)}\"; do\n"
    "        value=${line%%$'\\t'*}\n"
    "        if [[ $value == :files ]]; then\n"
    "            files=1\n"
    "        elif [[ -n $value ]]; then\n"
    "            described+=(\"${value//:/\\\\:}:${line#*$'\\t'}\")\n"
    "        fi\n"
    "    done\n"
    "    [[ -n $files ]] && _files\n"
    "    (( $#described )) && _describe -V leat described\n"
    "}\n"
    "if [[ $funcstack[1] == _leat ]]; then _leat \"$@\"; else compdef _leat leat; fi\n";

static const char fish[] =
    "# leat completion fish | source\n"
    "function __leat_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    set -l lines ($words[1] complete -- $words[2..-1] \"$current\" 2>/dev/null)\n"
    "    if contains :files $lines\n"
    "        __fish_complete_path \"$current\"\n"
    "    end\n"
    "    string match --invert ':files' -- $lines\n"
    "end\n"
    "complete --command leat --no-files --keep-order --arguments '(__leat_complete)'\n";

static const struct {
    const char *name, *script;
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static int run_completion(const struct given *given, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (strcmp(shells[i].name, given_argument(given, 0)) == 0) {
            fputs(shells[i].script, stdout);
            return 0;
        }
    return err_set(err, LEAT_EUSAGE, "there is completion for bash, zsh and fish");
}
const struct verb VERB_COMPLETION = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Prints what makes a shell complete this command line",
    .details = "bash:  eval \"$(leat completion bash)\" in ~/.bashrc\n"
               "zsh:   source <(leat completion zsh) in ~/.zshrc, after compinit\n"
               "fish:  leat completion fish | source in ~/.config/fish/config.fish",
    .least = 1,
    .most = 1,
    .offline = true,
    .run = run_completion};

static int run_complete(const struct given *given, struct err *err)
{
    char *words[128];
    size_t n = 0;
    cleanup_text struct text out = {0};
    (void)err;
    while (n < ARRAY_LEN(words) && given_argument(given, n)) {
        words[n] = (char *)given_argument(given, n);
        n++;
    }
    signal(SIGALRM, SIG_DFL); /* an API that does not answer ends us: no names, no waiting */
    alarm(ANSWER_SECONDS);
    complete_words(words, n, true, &out);
    fputs(out.data ? out.data : "", stdout);
    return 0;
}
const struct verb VERB_COMPLETE = {.name = "complete",
                                   .arguments = "WORD...",
                                   .summary = "Answers a shell's completion",
                                   .least = 1,
                                   .most = -1,
                                   .offline = true,
                                   .hidden = true,
                                   .run = run_complete};
