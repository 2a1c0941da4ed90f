# bash completion for wba.  Commands and options are asked of wba itself.
_wba_commands()
{
    "$1" help 2> /dev/null \
        | sed -n '/^Examples/q; s/^  \([a-z][a-z]*\)  *[a-z].*/\1/p'
}

_wba_options()
{
    "$1" "$2" --help 2> /dev/null \
        | sed -n '/^Examples/q; s/^  \(--[a-z][a-z-]*\).*/\1/p'
}

_wba_values()
{
    case $1 in
    --profile) echo tap agent-pay web-bot-auth ;;
    --lenient) echo visa-sample unquoted-agent agent-type bare-jwk ;;
    --format) echo headers raw curl ;;
    --scheme) echo https http ;;
    --agent-form) echo dictionary string ;;
    --color) echo auto always never ;;
    --alg | --algorithm)
        echo ed25519 ecdsa-p256-sha256 rsa-pss-sha512 rsa-pss-sha256 ;;
    --tag)
        echo agent-browser-auth agent-payer-auth agent-pay-auth web-bot-auth ;;
    *) return 1 ;;
    esac
}

_wba()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local wba=${COMP_WORDS[0]} command=${COMP_WORDS[1]} words

    # bash makes three words of --profile=tap, and of shop=keys.json.
    if [ "$cur" = = ]; then
        cur=
    elif [ "$prev" = = ]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$(_wba_commands "$wba") --color --help --version"
    elif [ "$command" = help ]; then
        words=$(_wba_commands "$wba")
    elif words=$(_wba_values "$prev"); then
        :
    elif [[ $cur == -* ]]; then
        words="$(_wba_options "$wba" "$command") --color --help"
    else
        COMPREPLY=($(compgen -f -- "$cur"))
        return
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _wba wba
