"""A talking clip measured by 68 landmarks of any tracker: what a clip is judged by need not be our own mesh.

The points are in the order of iBUG's 300-W, as dlib and many others give them. Nothing here takes torch.

Source: Sagonas et al., 300 Faces in-the-Wild Challenge, ICCV Workshops 2013.
"""
