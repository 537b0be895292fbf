"""Looking back at what was done with access."""

from __future__ import annotations

from fastapi import APIRouter

from access.model import Person, Review, ReviewState, parse_ref
from api.gate import Admitted, Parts
from api.parts import ApiParts
from api.review_schemas import ReviewIn, ReviewOut

router = APIRouter(prefix="/v1", tags=["reviews"])


@router.get("/reviews", summary="List open reviews, oldest first")
async def listing(device: Admitted, parts: Parts) -> list[ReviewOut]:
    """Those that one may close, and those of what one did oneself."""
    reviews, person = parts.broker.reviews, device.person
    found = {review.number: review for review in (*await reviews.waiting_for(person), *await reviews.mine(person))}
    ordered = sorted(found.values(), key=lambda review: (review.opened_at, review.number))
    return [await _shown(parts, review, person) for review in ordered]


@router.post("/requests/{reference}/review", summary="Close a review, or flag it")
async def review(reference: str, body: ReviewIn, device: Admitted, parts: Parts) -> ReviewOut:
    """Only for those who may decide such a request, and admins; never for whoever asked for it."""
    number, reviews = parse_ref(reference), parts.broker.reviews
    await parts.broker.see(number, device.person)  # what somebody may not see looks like what does not exist
    act = reviews.flag if body.flag else reviews.close
    return await _shown(parts, await act(number, device.person, body.note), device.person)


async def _shown(parts: ApiParts, review: Review, person: Person) -> ReviewOut:
    is_open = review.state is not ReviewState.REVIEWED
    return ReviewOut(
        ref=review.ref, target=review.target, role=review.role, requester=review.requester.name, why=review.why,
        state=review.state, opened_at=review.opened_at,
        yours=parts.policies.current().same_person(review.requester, person),
        reviewers=list(await parts.broker.reviews.names(review)) if is_open else [],
        by=review.by.name if review.by else None, at=review.at,
    )  # fmt: skip
