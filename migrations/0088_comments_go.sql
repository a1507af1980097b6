-- What agents wrote into a contact is kept to tell what they add beside a call: once the contact is gone nobody adds anything.
UPDATE contacts SET comment = NULL WHERE gone_at IS NOT NULL AND comment IS NOT NULL;
