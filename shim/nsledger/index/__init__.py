"""The one projection of a ledger: which entries a question depends on. Disposable; no witness.

    ledger ──lines──▶ builder ─┬─▶ scan     processes, and where they were read  ─┐
                               └─▶ telling  pods, the node, periods of entries   ─┴─▶ store
    question ──▶ pods, selection ──▶ records ──▶ entries, hashed again ──▶ the folds of `state`

    with opened(ledger, cache=None) as index:
        records = Records(index.database, index.reached, ledger)
        then = records.past(records.called("shop/web"), at=None)

`updater` keeps the index beside a ledger that is being written, in a process of its own; `lock`
says who may write it, and `seal` whether anybody else did; `opening` finds it, or makes one for a
reader. An index knows pointers and what finds them, never an answer: it may be deleted at any time,
one of another `schema.VERSION` is replaced, and what it points to counts only if it hashes to the
same. Whoever builds follows the chain, leaves out what does not follow, and notes the first damage.
"""
