"""A consumer of SQS: receive, work, delete; it ends when three receives in a row found nothing."""

import os
import sys

import boto3

sqs = boto3.client("sqs", endpoint_url=os.environ["SQS_URL"], region_name="us-east-1")
queue = sqs.create_queue(QueueName="thumbs", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]


def enqueue(names):
    for name in names:
        sqs.send_message(QueueUrl=queue, MessageBody=name)


def work():
    nothing = 0
    while nothing < 3:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, WaitTimeSeconds=0)
        messages = received.get("Messages", [])
        nothing = 0 if messages else nothing + 1
        for message in messages:
            print(message["Body"].upper(), flush=True)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


enqueue(sys.argv[2:]) if sys.argv[1] == "enqueue" else work()
