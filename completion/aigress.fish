# SPDX-License-Identifier: Apache-2.0
# Completion of aigress for fish.

set -l keys cgroup command container namespace workload pod unit user host model source
function __aigress_in
	__fish_seen_subcommand_from $argv
end

complete -c aigress -f
complete -c aigress -n __fish_use_subcommand -l help -d "help"
complete -c aigress -n __fish_use_subcommand -l version -d "version"
complete -c aigress -n __fish_use_subcommand -a run -d "watch this host: meter AI calls, keep the ledger, enforce budgets"
complete -c aigress -n __fish_use_subcommand -a top -d "live view of who spends what"
complete -c aigress -n __fish_use_subcommand -a report -d "spend from the ledger, as a table, CSV or JSON"
complete -c aigress -n __fish_use_subcommand -a explain -d "why this figure, why this action"
complete -c aigress -n __fish_use_subcommand -a enforce -d "what turning enforcement on would do now, and to whom"
complete -c aigress -n __fish_use_subcommand -a override -d "open, hold or raise a budget for a time"
complete -c aigress -n __fish_use_subcommand -a prices -d "which prices there are, why, and what others would change"
complete -c aigress -n __fish_use_subcommand -a check -d "what this host supports, what is seen and what is not, and why"
complete -c aigress -n __fish_use_subcommand -a cleanup -d "take away what could be left on this host"
complete -c aigress -n __fish_use_subcommand -a replay -d "run a recorded event file through the pipeline"

set -l every run top report explain enforce override prices check cleanup replay
complete -c aigress -n "__aigress_in $every" -s s -l state -x -a "(__fish_complete_directories)" -d "where the ledger is kept"
complete -c aigress -n "__aigress_in $every" -s \? -l help -d "help"
complete -c aigress -n "__aigress_in $every" -l usage -d "a short usage message"

complete -c aigress -n "__aigress_in run" -s c -l config -r -F -d "budgets and settings"
complete -c aigress -n "__aigress_in run" -s R -l record -r -F -d "also write the events to a file"
complete -c aigress -n "__aigress_in run" -s q -l quiet -d "no line for each call on standard output"
complete -c aigress -n "__aigress_in run" -s j -l log-json -d "log in JSON lines"
complete -c aigress -n "__aigress_in run" -s d -l debug -d "log more"
complete -c aigress -n "__aigress_in top" -s 1 -l once -d "print one frame and end"
complete -c aigress -n "__aigress_in top" -s b -l by -x -a "$keys" -d "what a line is"
complete -c aigress -n "__aigress_in report" -s b -l by -x -a "time hour $keys exe pid provider tier account call" -d "what a row is"
complete -c aigress -n "__aigress_in report" -s f -l format -x -a "table csv json" -d "output format"
complete -c aigress -n "__aigress_in report" -s S -l since -x -a "24h 7d today all" -d "from then on"
complete -c aigress -n "__aigress_in explain" -s f -l format -x -a "table json" -d "format of the list of actions"
complete -c aigress -n "__aigress_in explain" -a "call action actions"
complete -c aigress -n "__aigress_in override" -s a -l all -d "everything, instead of a key"
complete -c aigress -n "__aigress_in override" -s f -l for -x -a "30m 1h 2h 1d" -d "how long"
complete -c aigress -n "__aigress_in override" -s r -l reason -x -d "why"
complete -c aigress -n "__aigress_in override" -s F -l force -d "even if nothing has that name yet"
complete -c aigress -n "__aigress_in override" -s t -l to -x -d "the new limit"
complete -c aigress -n "__aigress_in override" -a "open hold raise clear list"
complete -c aigress -n "__aigress_in enforce" -s c -l config -r -F -d "the configuration"
complete -c aigress -n "__aigress_in enforce" -s p -l preview -d "say what enforcement would do now"
complete -c aigress -n "__aigress_in prices" -s f -l format -x -a "table csv" -d "output format"
complete -c aigress -n "__aigress_in prices" -s H -l host -x -d "explain: at this host"
complete -c aigress -n "__aigress_in prices" -s k -l keep -d "reprice: keep the new figures"
complete -c aigress -n "__aigress_in prices" -s p -l prices -r -F -d "prices over the built-in ones"
complete -c aigress -n "__aigress_in prices" -s P -l provider -x -d "of this family or provider"
complete -c aigress -n "__aigress_in prices" -s S -l since -x -a "24h 7d 30d today all" -d "calls from then on"
complete -c aigress -n "__aigress_in prices" -s t -l tier -x -a "batch flex priority fast us" -d "explain: in this tier"
complete -c aigress -n "__aigress_in prices" -s U -l until -x -a "24h 7d today" -d "reprice: calls until then"
complete -c aigress -n "__aigress_in prices" -a "list explain diff reprice"
complete -c aigress -n "__aigress_in check" -s c -l config -r -F -d "check a configuration instead"
complete -c aigress -n "__aigress_in check" -s j -l json -d "print JSON"
complete -c aigress -n "__aigress_in cleanup" -s r -l remove-state -d "also remove the ledger"
complete -c aigress -n "__aigress_in cleanup" -s w -l stay -d "wait for SIGTERM when all is done"
complete -c aigress -n "__aigress_in replay" -s q -l silent -d "print nothing"
complete -c aigress -n "__aigress_in replay" -F
