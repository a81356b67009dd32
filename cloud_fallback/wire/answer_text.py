"""The JSON text of an answer, written at once: a server writes one for every frame."""

from __future__ import annotations

from .messages import Result, ServerMessage, encode

_ROW = "[%.9g,%.9g,%.9g,%.9g,%.9g,%d]"


def answer_text(message: ServerMessage) -> str:
    """The text that `encode` gives, with nine digits for each number of a detection.

    That many identify a float32; more would be noise.
    """
    if isinstance(message, Result):
        return _result_text(message)
    return encode(message)


def _result_text(result: Result) -> str:
    text = (
        f'{{"type":"result","sequence":{result.sequence},"ack":{result.ack}'
        f',"credits":{result.credits}'
    )
    rows = result.detections
    if rows:
        form = ",".join([_ROW] * len(rows))
        text += f',"detections":[{form % tuple([value for row in rows for value in row])}]'
    if result.queue_ms:
        text += f',"queue_ms":{result.queue_ms:.2f}'
    if result.work_ms:
        text += f',"work_ms":{result.work_ms:.2f}'
    return text + "}"
