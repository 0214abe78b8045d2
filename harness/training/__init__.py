"""Training: passages -> masked examples -> a trainer in a child process -> an adapter and its record.

chat         a conversation's tokens and its response-only mask
examples     tokenised, masked and ordered once, kept under their digest
checkpoints  which checkpoint can be resumed from
launch       runs a trainer program and returns its record
"""
