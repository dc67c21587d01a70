"""A local server that speaks Gemini's protocol, with quotas and faults: ``curator rehearse``.

``script`` says what the server plays, ``wiring`` builds it, its ``doors`` answer over HTTP, and
``judge`` decides what they say. Nothing here is used by ``curator run``, which cannot tell the
rehearsal from the real service.
"""
