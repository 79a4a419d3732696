//! The Sealwright crypto provider on AWS-LC.
