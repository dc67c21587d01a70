"""What a classifier of pictures sees, taught to a small model that answers questions.

Letters of shapes beside those of ``shared.vqa``: K channels of a teacher's maps or tokens, G their
side in places, A answers to choose among, M questions of a picture.
"""
