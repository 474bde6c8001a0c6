"""Members and invitations."""

from typing import Any

from aisp.auth.v1 import auth_service_pb2 as pb
from aisp.auth.v1 import people_pb2 as people
from aisp.auth.v1.auth_service_pb2_grpc import AuthServiceServicer

from auth_service.domain.invitations import Invitation
from auth_service.domain.people import Member
from auth_service.service.invitations import Invitations
from auth_service.service.members import Members
from auth_service.servicer.wire import actor, caller, tenant_message, time_of, tokens_message, user_message, visitor
from chassis.pagination import PageRequest


class MembersServicer(AuthServiceServicer):
    """Translates."""

    _members: Members
    _invitations: Invitations

    async def ListMembers(self, request: people.ListMembersRequest, _: Any) -> people.ListMembersResponse:
        page = await self._members.list(caller().tenant_id, PageRequest.parse(request.page_size, request.page_token))
        return people.ListMembersResponse(
            members=[_member(member) for member in page.items], next_page_token=page.next_cursor
        )

    async def GetMember(self, request: people.GetMemberRequest, _: Any) -> people.GetMemberResponse:
        return people.GetMemberResponse(member=_member(await self._members.get(caller().tenant_id, request.user_id)))

    async def ChangeMemberRole(
        self, request: people.ChangeMemberRoleRequest, _: Any
    ) -> people.ChangeMemberRoleResponse:
        changed = await self._members.change_role(actor(), request.user_id, request.role)
        return people.ChangeMemberRoleResponse(member=_member(changed))

    async def RemoveMember(self, request: people.RemoveMemberRequest, _: Any) -> people.RemoveMemberResponse:
        await self._members.remove(actor(), request.user_id)
        return people.RemoveMemberResponse()

    async def TransferOwnership(
        self, request: people.TransferOwnershipRequest, _: Any
    ) -> people.TransferOwnershipResponse:
        owner = await self._members.transfer(actor(), request.user_id)
        return people.TransferOwnershipResponse(member=_member(owner))

    async def ListMemberships(self, _request: people.ListMembershipsRequest, _: Any) -> people.ListMembershipsResponse:
        found = [
            people.Membership(
                tenant_id=membership.tenant_id,
                tenant_name=membership.tenant_name,
                role=membership.role,
                suspended=membership.suspended,
            )
            for membership in await self._members.memberships(actor())
        ]
        return people.ListMembershipsResponse(memberships=found)

    async def CreateInvitation(
        self, request: people.CreateInvitationRequest, _: Any
    ) -> people.CreateInvitationResponse:
        made, token, link = await self._invitations.create(actor(), request.email, request.role)
        return people.CreateInvitationResponse(invitation=_invitation(made), token=token, link=link)

    async def ListInvitations(self, request: people.ListInvitationsRequest, _: Any) -> people.ListInvitationsResponse:
        asked = PageRequest.parse(request.page_size, request.page_token)
        page = await self._invitations.list(caller().tenant_id, asked)
        return people.ListInvitationsResponse(
            invitations=[_invitation(row) for row in page.items], next_page_token=page.next_cursor
        )

    async def RevokeInvitation(
        self, request: people.RevokeInvitationRequest, _: Any
    ) -> people.RevokeInvitationResponse:
        await self._invitations.revoke(caller().tenant_id, request.id)
        return people.RevokeInvitationResponse()

    async def AcceptInvitation(self, request: people.AcceptInvitationRequest, _: Any) -> pb.AcceptInvitationResponse:
        joined = await self._invitations.accept(request.token, request.password, request.full_name, visitor())
        return pb.AcceptInvitationResponse(
            tenant=tenant_message(joined.tenant), user=user_message(joined.user), tokens=tokens_message(joined.tokens)
        )


def _member(member: Member) -> people.Member:
    return people.Member(
        user_id=member.user_id,
        email=member.email,
        full_name=member.full_name,
        role=member.role,
        join_time=time_of(member.joined_at),
    )


def _invitation(invitation: Invitation) -> people.Invitation:
    return people.Invitation(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        invited_by=invitation.invited_by,
        mailed=invitation.mailed,
        create_time=time_of(invitation.created_at),
        expire_time=time_of(invitation.expires_at),
    )
