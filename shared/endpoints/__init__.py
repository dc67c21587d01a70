"""Models that are asked over HTTP: keys and quota, what models cost, requests, replies, refusals.

Needs aiohttp, asyncio-throttle and tzdata, which come with the extras of the parts that ask.
"""
