"""What a campaign asks about, as it waits: jobs, their queue, and their photos read ahead."""
