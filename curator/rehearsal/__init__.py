"""A local server that speaks Gemini's protocol, with quotas and faults: ``curator rehearse``.

``script`` says what the server plays, ``wiring`` builds it, ``server`` answers over HTTP. Nothing
here is used by ``curator run``, which cannot tell the rehearsal from the real service.
"""
