#!/bin/sh
# Follow what one payee is credited, on the command line:  sh follow.sh PAYEE_ID [options of tail]
#
# A line a credit: when it was booked, its deal, its amount. A reversal has a minus. Options go to
# `paceboard topics tail`: --from-beginning, --until-end, --count 5. A credit can come twice, with
# the same credit_id: a line that was printed is not printed again.
set -eu

payee=${1:?"say whose: sh follow.sh PAYEE_ID"}
shift
paceboard topics tail credits --key "$payee" "$@" | python3 -uc '
import json, sys

seen = set()
for line in sys.stdin:
    credit = json.loads(line)["value"]
    if credit["credit_id"] not in seen:
        seen.add(credit["credit_id"])
        amount, currency = credit["amount"], credit["currency"]
        print(credit["booked_at"], credit["deal_id"], amount, currency, credit["role"])
'
