#!/bin/sh
# Writes .env beside docker-compose.yml from env.example: the company, and secrets of its own.
#
#   sh deploy/docker/make-env.sh demo                             the sample company
#   sh deploy/docker/make-env.sh "Northwind" EUR Europe/Berlin    yours: name, currency, time zone
set -eu
here=$(dirname "$0")
env=$here/../../.env

if [ $# -lt 1 ]; then
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
if [ -e "$env" ]; then
    echo "there is a .env already; its secrets are those of the data: remove both, or neither" >&2
    exit 1
fi
case $1 in
    *\'*) echo "a name with a quote: fill in a copy of env.example by hand" >&2; exit 1 ;;
esac
is_demo=no
[ "$*" != demo ] || { is_demo=yes; set -- "Adventure Works Cycles" USD America/Los_Angeles; }

secret() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

umask 077
while IFS= read -r line; do
    case $line in
        PACEBOARD_COMPANY=) printf "PACEBOARD_COMPANY='%s'\n" "$1" ;;
        PACEBOARD_*=) printf '%s%s\n' "$line" "$(secret)" ;;
        '# PACEBOARD_CURRENCY='*) printf 'PACEBOARD_CURRENCY=%s\n' "${2:-USD}" ;;
        '# PACEBOARD_TIME_ZONE='*) printf 'PACEBOARD_TIME_ZONE=%s\n' "${3:-UTC}" ;;
        '# COMPOSE_PROFILES=demo' | '# PACEBOARD_DEMO=1')
            if [ $is_demo = yes ]; then line=${line#\# }; fi
            printf '%s\n' "$line" ;;
        *) printf '%s\n' "$line" ;;
    esac
done < "$here/env.example" > "$env.new"
mv "$env.new" "$env"
echo "wrote .env; next: docker compose up --build --wait" >&2
