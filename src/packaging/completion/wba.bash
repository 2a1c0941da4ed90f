# bash completion for wba.  Commands and options are asked of wba itself.
_wba()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local wba=${COMP_WORDS[0]} command=${COMP_WORDS[1]}

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "$("$wba" help 2> /dev/null \
            | sed -n 's/^  \([a-z][a-z]*\)  *[a-z].*/\1/p') help --help --version" \
            -- "$cur"))
        return
    fi
    if [ "$command" = help ]; then
        COMPREPLY=($(compgen -W "$("$wba" help 2> /dev/null \
            | sed -n 's/^  \([a-z][a-z]*\)  *[a-z].*/\1/p')" -- "$cur"))
        return
    fi
    case $prev in
    --color)
        COMPREPLY=($(compgen -W "auto always never" -- "$cur"))
        return ;;
    --profile)
        COMPREPLY=($(compgen -W "tap agent-pay web-bot-auth" -- "$cur"))
        return ;;
    --lenient)
        COMPREPLY=($(compgen -W "visa-sample unquoted-agent agent-type
            bare-jwk" -- "$cur"))
        return ;;
    --format)
        COMPREPLY=($(compgen -W "headers raw curl" -- "$cur"))
        return ;;
    --scheme)
        COMPREPLY=($(compgen -W "https http" -- "$cur"))
        return ;;
    --agent-form)
        COMPREPLY=($(compgen -W "dictionary string" -- "$cur"))
        return ;;
    --alg|--algorithm)
        COMPREPLY=($(compgen -W "ed25519 ecdsa-p256-sha256 rsa-pss-sha512
            rsa-pss-sha256" -- "$cur"))
        return ;;
    --tag)
        COMPREPLY=($(compgen -W "agent-browser-auth agent-payer-auth
            agent-pay-auth web-bot-auth" -- "$cur"))
        return ;;
    esac
    [ "$command" = curl ] && command=sign    # whose options it takes
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$("$wba" "$command" --help 2> /dev/null \
            | grep -oE -- '--[a-z][a-z-]*' | sort -u)" -- "$cur"))
        return
    fi
    COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _wba wba
