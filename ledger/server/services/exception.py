"""ExceptionService: approved departures from rules, and rules overridden."""

from __future__ import annotations

from ledger.api.v1.exception_service_pb2 import (
    AdjustedOutcome,
    CountExceptionsRequest,
    CountExceptionsResponse,
    ExceptionCount,
    ExceptionList,
    GetAdjustedRequest,
    GetAdjustedResponse,
    GetExceptionRequest,
    GetExceptionResponse,
    ListExceptionsRequest,
    ListExceptionsResponse,
    ListOverridesRequest,
    ListOverridesResponse,
    OverrideList,
    RuleException,
)
from ledger.api.v1.exception_service_pb2_grpc import ExceptionServiceServicer
from ledger.server.call import Context
from ledger.server.reading import After, Reading
from ledger.server.services.entity import recorded
from projections import exceptions, overrides
from projections.adjusted import adjusted
from projections.view import Read


class ExceptionServicer(ExceptionServiceServicer):
    """Answers ExceptionService."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def GetException(self, request: GetExceptionRequest, context: Context) -> GetExceptionResponse:
        """Return one exception."""
        return await self._reading.answer(request, context, GetExceptionResponse, self._get)

    async def ListExceptions(self, request: ListExceptionsRequest, context: Context) -> ListExceptionsResponse:
        """Return a page of exceptions."""
        return await self._reading.page(request, context, ListExceptionsResponse, self._list)

    async def CountExceptions(self, request: CountExceptionsRequest, context: Context) -> CountExceptionsResponse:
        """Return counts of exceptions."""
        return await self._reading.answer(request, context, CountExceptionsResponse, self._count)

    async def GetAdjusted(self, request: GetAdjustedRequest, context: Context) -> GetAdjustedResponse:
        """Return outcomes raw and adjusted."""
        return await self._reading.answer(request, context, GetAdjustedResponse, self._adjusted)

    async def ListOverrides(self, request: ListOverridesRequest, context: Context) -> ListOverridesResponse:
        """Return a page of overrides."""
        return await self._reading.page(request, context, ListOverridesResponse, self._overrides)

    def _get(self, read: Read, request: GetExceptionRequest) -> RuleException:
        return recorded(exceptions.get(read, request.exception_id), "exception", request.exception_id)

    def _list(self, read: Read, request: ListExceptionsRequest, limit: int, after: After) -> tuple[ExceptionList, After]:
        found, following = exceptions.page(read, request.filter, limit, after)
        return ExceptionList(exceptions=found), following

    def _count(self, read: Read, request: CountExceptionsRequest) -> ExceptionCount:
        return exceptions.count(read, request.filter, request.group_by)

    def _adjusted(self, read: Read, request: GetAdjustedRequest) -> AdjustedOutcome:
        return adjusted(read, request)

    def _overrides(self, read: Read, request: ListOverridesRequest, limit: int, after: After) -> tuple[OverrideList, After]:
        found, following = overrides.page(read, request.filter, limit, after)
        return OverrideList(overrides=found), following
