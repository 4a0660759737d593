"""The least permissions that mctl needs at AWS, as an IAM policy."""

from __future__ import annotations

import json

ACTIONS = (
    *(f"Describe{what}" for what in ("Images", "InstanceTypeOfferings", "InstanceTypes", "Instances")),
    *("DescribeInstanceAttribute", "DescribeInstanceCreditSpecifications", "DescribeKeyPairs"),
    *("DescribeNetworkInterfaces", "DescribeSecurityGroups", "DescribeSpotInstanceRequests", "DescribeSubnets"),
    *("DescribeTags", "DescribeVolumes", "DescribeVpcs", "CreateTags", "DeleteTags"),
    *("ImportKeyPair", "DeleteKeyPair", "CreateSecurityGroup", "DeleteSecurityGroup"),
    *("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
    *("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"),
    *("RunInstances", "StartInstances", "StopInstances", "TerminateInstances"),
    *("ModifyInstanceAttribute", "ModifyInstanceMetadataOptions", "ModifyVolume", "MonitorInstances"),
    *("UnmonitorInstances", "CancelSpotInstanceRequests"),
)
ALLOWED = [f"ec2:{action}" for action in ACTIONS] + ["sts:GetCallerIdentity", "servicequotas:GetServiceQuota"]
PASSED = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ALLOWED, "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "*", "Condition": PASSED},
        ],
    },
    indent=2,
)
