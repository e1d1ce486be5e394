"""Answers from trained models, and the first of several answers.

    moves, pace, hedging    pure: of several replicas, the first answer
    first                   the same for any calls: `regrow.first`
    answers/                what each kind of model answers; one file for each
    tables                  a model as replicas map it: written once for all of them
    replica, desk           a process that answers; what it does when
    frames, members         what the router says to it, or to a service elsewhere
    supervisor, following   replicas that are started, watched, replaced; models that are swapped
    fleet, router, batch    who asks the replicas, and what the world sees
    conversation, bodies    connections, and what may come over them
    forms, openapi, metrics, guarding, limits; client: who asks it
    service                 all of it together: `regrow serve`

What is imported where matters: the router never loads numba, `regrow.first` never loads aiohttp.
"""
