# SPDX-License-Identifier: Apache-2.0
# Completion of aigress for bash.
# shellcheck shell=bash

_aigress_options() {
	case $1 in
	run) echo "--config --debug --log-json --quiet --record --state" ;;
	top) echo "--once --by --format --state" ;;
	report) echo "--by --compare --config --format --share --since --sort --state --top --until" ;;
	explain) echo "--format --state" ;;
	enforce) echo "--config --format --preview --state" ;;
	override) echo "--all --for --force --format --reason --state --to" ;;
	prices) echo "--format --host --keep --prices --provider --since --state --tier --until" ;;
	reconcile) echo "--also --anthropic --by --format --invoice --keep --openai --provider --since --state --until --url" ;;
	check) echo "--config --format --json --state --url" ;;
	cleanup) echo "--remove-state --state --stay" ;;
	replay) echo "--silent --state" ;;
	esac
	echo "--help --usage"
}

_aigress_words() {
	case $1 in
	explain) echo "who call action actions exe" ;;
	override) echo "open hold raise clear list" ;;
	prices) echo "list explain diff reprice" ;;
	esac
}

_aigress() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local keys="who cgroup command container namespace workload pod unit user client host model source image"

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			"run top report explain enforce override prices reconcile check cleanup replay help --help --version" -- "$word")
		return
	fi
	case $command:$before in
	*:--state | *:-s) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	run:--config | run:-c | enforce:--config | enforce:-c | check:--config | check:-c | report:--config | report:-c | run:--record | run:-R) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	top:--by | top:-b) mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$word") ;;
	report:--by | report:-b)
		mapfile -t COMPREPLY < <(compgen -W "time hour team $keys exe pid provider tier account destination via api-key call" -- "$word")
		;;
	report:--format | report:-f) mapfile -t COMPREPLY < <(compgen -W "table csv json focus" -- "$word") ;;
	top:--format | top:-f | enforce:--format | enforce:-f | explain:--format | explain:-f | check:--format | check:-f) mapfile -t COMPREPLY < <(compgen -W "table json" -- "$word") ;;
	reconcile:--by | reconcile:-b) mapfile -t COMPREPLY < <(compgen -W "day provider model tier account" -- "$word") ;;
	reconcile:--also | reconcile:-l) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
	reconcile:--anthropic | reconcile:-a | reconcile:--openai | reconcile:-o | reconcile:--invoice | reconcile:-i)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	reconcile:--url | reconcile:-u | reconcile:--provider | reconcile:-P) ;;
	reconcile:--format | reconcile:-f | prices:--format | prices:-f | override:--format | override:-o) mapfile -t COMPREPLY < <(compgen -W "table csv json" -- "$word") ;;
	prices:--prices | prices:-p) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
	prices:--tier | prices:-t) mapfile -t COMPREPLY < <(compgen -W "batch flex priority fast us" -- "$word") ;;
	prices:--host | prices:-H | prices:--provider | prices:-P) ;;
	report:--since | report:-S | report:--until | report:-U | prices:--since | prices:-S | prices:--until | prices:-U | \
		reconcile:--since | reconcile:-S | reconcile:--until | reconcile:-U)
		mapfile -t COMPREPLY < <(compgen -W "24h 7d today yesterday this-week last-week this-month last-month now all" -- "$word")
		;;
	report:--sort | report:-o) mapfile -t COMPREPLY < <(compgen -W "cost budget calls tokens words" -- "$word") ;;
	report:--top | report:-t) ;;
	override:--for | override:-f) mapfile -t COMPREPLY < <(compgen -W "30m 1h 2h 1d" -- "$word") ;;
	check:--url | check:-u) mapfile -t COMPREPLY < <(compgen -W "http://127.0.0.1:24473/readyz" -- "$word") ;;
	override:--reason | override:-r | override:--to | override:-t) ;;
	*)
		case $word in
		-*) mapfile -t COMPREPLY < <(compgen -W "$(_aigress_options "$command")" -- "$word") ;;
		*)
			if [ "$command" = replay ]; then
				mapfile -t COMPREPLY < <(compgen -f -- "$word")
			else
				mapfile -t COMPREPLY < <(compgen -W "$(_aigress_words "$command")" -- "$word")
			fi
			;;
		esac
		;;
	esac
}

complete -o filenames -F _aigress aigress
